"""A small API on loopback for adapters under test: takes JSON, answers after a while, refuses by plan."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], Any]
"""Status, headers, body."""
Plan = Callable[[int, dict[str, Any]], Reply | None]
"""Number of the request (from 0) and its body -> a reply of another kind; None: it is answered."""


class Service(ThreadingHTTPServer):
    """Answers a prompt with its text in upper case.

    Args:
        delay: seconds before each answer.
        plan: which requests are refused.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, delay: float = 0.0, plan: Plan | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delay, self.plan = delay, plan
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.active = self.most_active = self.refused = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/generate"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service = self.server
        with service.lock:
            number = len(service.bodies)
            service.bodies.append(body)
            service.times.append(time.monotonic())
            service.active += 1
            service.most_active = max(service.most_active, service.active)
        try:
            reply = service.plan(number, body) if service.plan else None
            if reply is None:
                time.sleep(service.delay)
                reply = (200, {}, {"text": str(body["prompt"]).upper()})
            elif reply[0] != 200:
                with service.lock:
                    service.refused += 1
        finally:
            with service.lock:
                service.active -= 1
        status, headers, content = reply
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(delay: float = 0.0, plan: Plan | None = None) -> Iterator[Service]:
    """A service for the time of a test."""
    service = Service(delay, plan)
    thread = threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        service.server_close()


def one_in_eight(number: int, body: dict[str, Any]) -> Reply | None:
    """Refuses every eighth request."""
    return (429, {}, {"error": "too many requests"}) if number % 8 == 7 else None
