"""A plain HTTP server on the standard library. It knows nothing of clusters: it listens on PORT."""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlparse(self.path)
        if url.path == "/slow":
            time.sleep(float(parse_qs(url.query).get("ms", ["1000"])[0]) / 1000)
        body = json.dumps({"pid": os.getpid(), "instance": os.environ.get("PMR_INSTANCE"), "path": url.path})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + 1))
        self.end_headers()
        self.wfile.write(body.encode() + b"\n")

    def log_message(self, format, *args):
        """Says nothing for a request: the default would fill the log."""


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "3000"))
    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)
    print(f"pid {os.getpid()} listens on {port}", flush=True)
    server.serve_forever()
