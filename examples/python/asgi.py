"""An ASGI app with no framework, for uvicorn or any other ASGI server."""

import asyncio
import json
import os
from urllib.parse import parse_qs


async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["path"] == "/slow":
        query = parse_qs(scope["query_string"].decode())
        await asyncio.sleep(float(query.get("ms", ["1000"])[0]) / 1000)
    body = json.dumps({"pid": os.getpid(), "instance": os.environ.get("PMR_INSTANCE"), "path": scope["path"]})
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode() + b"\n"})
