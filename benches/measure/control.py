"""Asks a runtime over its control socket; see docs/control-api.md."""

import http.client
import json
import socket

import process


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=process.PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Control:
    """Of the runtime whose PMR_HOME this is."""

    def __init__(self, home):
        self.path = f"{home}/pmr.sock"

    def ask(self, method, path, body=None):
        """Status and JSON of the answer."""
        connection = Connection(self.path)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def instances(self):
        """Of all apps."""
        _, apps = self.ask("GET", "/v1/apps")
        return [instance for app in apps for instance in app["instances"]]

    def order(self, what, body=None):
        """Whether it was done."""
        return self.ask("POST", f"/v1/apps/all/{what}", body or {})[0] == 200
