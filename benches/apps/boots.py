"""A server that takes 1.5 s to boot and says who it is."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

    def log_message(self, *_):
        pass


time.sleep(1.5)
ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
