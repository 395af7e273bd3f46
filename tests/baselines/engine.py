"""An inference engine in one file: `python engine.py PORT [--name NAME] [--slow S] [--dies-after N]
[--broken] [--taken FILE]`.

It answers OpenAI's chat protocol with how many words it was asked, needs a moment to become healthy, and can
die on request; with `--taken` its port is taken, at the first start (which makes the file) or `always`. Its
process number stands in the file named by `--pids`, one line a start.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--name", default="counter")
parser.add_argument("--slow", type=float, default=0.0)
parser.add_argument("--dies-after", type=int, default=0)
parser.add_argument("--dies-at", default="")
parser.add_argument("--by", default="", help="the signal that it dies by, else with exit status 9")
parser.add_argument("--broken", action="store_true")
parser.add_argument("--never", action="store_true")
parser.add_argument("--pids", type=Path)
parser.add_argument("--taken", default="")
parser.add_argument("--bodies", type=Path, help="file that gets every request's body, one a line")
options = parser.parse_args() if __name__ == "__main__" else parser.parse_args(["0"])
started = time.monotonic()
answered = 0


def die() -> None:
    if options.by:
        signal.raise_signal(signal.Signals[options.by])
    os._exit(9)


class Handler(BaseHTTPRequestHandler):
    def _send(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        ready = not options.never and time.monotonic() - started >= options.slow
        if self.path == "/health":
            self._send(200 if ready else 503, {})
        elif self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [{"id": options.name, "object": "model"}]})
        elif self.path == "/version":
            self._send(200, {"version": "1.2.3"})
        else:
            self._send(404, {})

    def do_POST(self) -> None:
        global answered
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answered += 1
        if options.bodies:
            with options.bodies.open("a") as bodies:
                bodies.write(json.dumps(request) + "\n")
        if options.dies_after and answered > options.dies_after:
            die()
        content = request["messages"][-1]["content"]
        text = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
        if options.dies_at and options.dies_at in text:
            die()
        message = {"role": "assistant", "content": str(len(text.split()))}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": request["model"]}
        self._send(200, {**reply, "choices": [choice], "usage": usage})

    def log_message(self, format: str, *args: Any) -> None: ...


if __name__ == "__main__":
    if options.pids:
        with options.pids.open("a") as pids:
            pids.write(f"{os.getpid()}\n")
    if options.taken and not (options.taken != "always" and Path(options.taken).exists()):
        if options.taken != "always":
            Path(options.taken).touch()
        print("OSError: [Errno 98] Address already in use", file=sys.stderr)
        sys.exit(1)
    if options.broken:
        print("CUDA error: no kernel image is available", file=sys.stderr)
        sys.exit(3)
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()
