"""Says who answers, by its pid, for WSGI and ASGI servers.

`/block/MS` is busy for so long first; `/wait/MS` waits for so long, with ASGI while others are answered.
"""

import asyncio
import os
import time


def wsgi(environ, start_response):
    _, what, milliseconds = (environ["PATH_INFO"] + "/").split("/")[:3]
    if what in ("block", "wait"):
        time.sleep(int(milliseconds) / 1000)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    _, what, milliseconds = (scope["path"] + "/").split("/")[:3]
    if what == "block":
        time.sleep(int(milliseconds) / 1000)
    if what == "wait":
        await asyncio.sleep(int(milliseconds) / 1000)
    body = str(os.getpid()).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
