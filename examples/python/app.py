"""A plain HTTP server on the standard library. It knows nothing of clusters: it listens on PORT and, asked to stop,
finishes what it is answering."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse


class Handler(BaseHTTPRequestHandler):
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


class Server(ThreadingHTTPServer):
    # So that server_close() waits for the requests that are being answered.
    daemon_threads = False


def main():
    port = int(os.environ.get("PORT", "3000"))
    server = Server(("0.0.0.0", port), Handler)

    def stop(number, frame):
        # shutdown() waits for serve_forever(), which this very thread is running.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"pid {os.getpid()} listens on {port}", flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
