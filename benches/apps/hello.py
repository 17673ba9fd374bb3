"""The smallest HTTP server on Python's standard library: its start is all that is measured."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello\n")

    def log_message(self, format, *args):
        """Says nothing for a request."""


HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Hello).serve_forever()
