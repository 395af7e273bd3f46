"""A server of OpenAI's protocol on loopback, a process of its own: what the client is tested against.

    python -m tests.endpoint.server --log requests.jsonl [--answers MODULE:FUNCTION]

It prints its address. `FUNCTION(body)` gives an answer's text, or a dictionary that is merged into the reply.
Requests are appended to the log before they are answered. `POST /script` with a list puts faults in front of
the next requests: `{"status": 429, "headers": {"Retry-After": "1"}, "error": {...}}`, `{"cut": true}` (closes
the connection without a word), `{"sleep": 2}` (then answers), `{"raw": "text"}` (status 200, another body),
`{"drip": 0.2}` (a byte in so many seconds, without an end), `{"endless": true}` (as fast as it is read),
`{"gzip": 100}` (so many MiB of zeros, packed), `{}` (answers).
"""

from __future__ import annotations

import argparse
import base64
import gzip
import importlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "sk-local-0123456789"
"""The only key it takes when it is started with `--key`."""

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def echo(body: dict[str, Any]) -> str:
    """The last turn's text with `<image>` for every image."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "<image>") for part in content)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path.endswith("/models"):
            data = [
                {"id": name, "object": "model", "created": 0, "owned_by": "us"}
                for name in ("judge", "painter")
            ]
            self._send(200, {"object": "list", "data": data})
        else:
            self._send(404, {"error": {"message": "no such page"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/script":
            self.server.script[:] = json.loads(raw)
            self._send(200, {})
            return
        form = self.headers.get("Content-Type", "").startswith("multipart/")
        body = {"form": raw.decode("latin-1")} if form else json.loads(raw)
        with self.server.busy() as active:
            self._answer(body, self.server.note(self.path, dict(self.headers), body, active))

    def _answer(self, body: dict[str, Any], fault: dict[str, Any]) -> None:
        if fault.get("cut"):
            self.close_connection = True
            return
        time.sleep(fault.get("sleep", self.server.delay))
        if "status" in fault:
            self._send(
                fault["status"],
                {"error": fault.get("error", {"message": "a fault"})},
                fault.get("headers", {}),
            )
        elif "drip" in fault:
            self._flow(fault["drip"], 1)
        elif fault.get("endless"):
            self._flow(0.0, 2**20)
        elif "gzip" in fault:
            self._packed(fault["gzip"])
        elif "raw" in fault:
            self._send(200, fault["raw"])
        elif self.server.key and self.headers.get("Authorization") != f"Bearer {self.server.key}":
            given = self.headers.get("Authorization", "")
            self._send(
                401, {"error": {"message": f"Incorrect API key provided: {given}", "code": "invalid_api_key"}}
            )
        elif self.path.endswith("/chat/completions"):
            self._chat(body)
        elif self.path.endswith("/completions"):
            self._send(200, self.server.answers(body))
        elif "/images/" in self.path:
            self._images(body)
        else:
            self._send(404, {"error": {"message": f"no page {self.path}"}})

    def _chat(self, body: dict[str, Any]) -> None:
        if body["model"] == "absent":
            self._send(
                404, {"error": {"message": "The model `absent` does not exist", "code": "model_not_found"}}
            )
            return
        answer = self.server.answers(body)
        made: dict[str, Any] = {"text": answer} if isinstance(answer, str) else answer
        text = made.get("text", "")
        limit = body.get("max_tokens") or body.get("max_completion_tokens")
        words = text.split(" ")
        cut = limit is not None and len(words) > limit
        shown = " ".join(words[:limit]) if cut else text
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": shown} | made.get("message", {}),
            "finish_reason": made.get("finish_reason", "length" if cut else "stop"),
        }
        if body.get("logprobs"):
            tops = [{"token": "x", "logprob": -3.0, "bytes": None}] * body.get("top_logprobs", 0)
            choice["logprobs"] = {
                "content": [
                    {"token": word, "logprob": -0.5, "bytes": None, "top_logprobs": tops}
                    for word in shown.split(" ")
                ]
            }
        asked = " ".join(json.dumps(message["content"]) for message in body["messages"])
        usage = {"prompt_tokens": len(asked.split()), "completion_tokens": len(shown.split())}
        usage |= made.get("usage", {})
        if "logprobs" in made:
            choice["logprobs"] = made["logprobs"]
        if "status" in made:
            self._send(made["status"], {"error": made["error"]})
            return
        self._send(
            200,
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 0,
                "model": made.get("model", f"{body['model']}-2026-01-01"),
                "system_fingerprint": "fp_local",
                "choices": [choice],
                "usage": usage | {"total_tokens": sum(count or 0 for count in usage.values())},
            },
        )

    def _images(self, body: dict[str, Any]) -> None:
        found = re.search(r'name="n"\r\n\r\n(\d+)', body.get("form", ""))
        count = int(found[1]) if found else body.get("n", 1)
        data = [{"b64_json": base64.b64encode(PIXEL).decode("ascii"), "revised_prompt": "a pixel"}] * count
        usage = {"input_tokens": 3, "output_tokens": 7, "total_tokens": 10}
        usage |= {"input_tokens_details": {"image_tokens": 0, "text_tokens": 3}}  # type: ignore[dict-item]
        self._send(200, {"created": 0, "data": data, "usage": usage})

    def _flow(self, pause: float, size: int) -> None:
        """A body without an end, until the client has enough of it."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        piece = b"%x\r\n" % size + b" " * size + b"\r\n"
        for _ in range(4096):
            self.wfile.write(piece)
            time.sleep(pause)

    def _packed(self, mebibytes: int) -> None:
        data = gzip.compress(bytes(mebibytes * 2**20), 1)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, log: Path, answers: Callable[[dict[str, Any]], Any], key: str, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[dict[str, Any]] = []
        self.answers, self.key, self.delay = answers, key, delay
        self._log, self._lock, self._active = log, threading.Lock(), 0

    @contextmanager
    def busy(self) -> Iterator[int]:
        """Counts the requests that are being answered, this one included."""
        with self._lock:
            self._active += 1
            active = self._active
        try:
            yield active
        finally:
            with self._lock:
                self._active -= 1

    def note(self, path: str, headers: dict[str, str], body: dict[str, Any], active: int) -> dict[str, Any]:
        """Logs a request; gives the fault that is meant for it."""
        told = {"path": path, "time": time.time(), "active": active, "headers": headers, "body": body}
        line = json.dumps(told)
        with self._lock:
            with self._log.open("a") as stream:
                stream.write(line + "\n")
            return self.script.pop(0) if self.script else {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients that were killed or lost patience
            super().handle_error(request, client_address)


@dataclass(frozen=True)
class Local:
    """A server that is running.

    Args:
        url: its address with `/v1`.
        log: the file of requests.
    """

    url: str
    log: Path

    def script(self, *faults: dict[str, Any]) -> None:
        """Plans these for the next requests, one each; what was planned before is dropped."""
        data = json.dumps(faults).encode()
        request = urllib.request.Request(self.url.removesuffix("/v1") + "/script", data, method="POST")
        urllib.request.urlopen(request, timeout=10).read()

    def requests(self) -> list[dict[str, Any]]:
        """What came in so far: path, time, how many were being answered, headers, body."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def serving(folder: Path, answers: str = "", key: str = "", delay: float = 0.0) -> Iterator[Local]:
    """A server for the time of a test; `answers` is MODULE:FUNCTION, `delay` seconds before each answer."""
    log = folder / "requests.jsonl"
    command = [sys.executable, "-m", "tests.endpoint.server", "--log", str(log), "--delay", str(delay)]
    command += ["--answers", answers] if answers else []
    command += ["--key", key] if key else []
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield Local(process.stdout.readline().strip(), log)
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--answers", default="")
    parser.add_argument("--key", default="")
    parser.add_argument("--delay", type=float, default=0.0)
    given = parser.parse_args()
    answers: Callable[[dict[str, Any]], Any] = echo
    if given.answers:
        module, _, name = given.answers.partition(":")
        answers = getattr(importlib.import_module(module), name)
    server = _Server(given.log, answers, given.key, given.delay)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
