"""Real HTTP servers that speak the protocols of Gemini, Replicate and ComfyUI, with what can go wrong."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image as PilImage


def png(color: str = "red", side: int = 16) -> bytes:
    stream = io.BytesIO()
    PilImage.new("RGB", (side, side), color).save(stream, "PNG")
    return stream.getvalue()


class Service:
    """What a server is told to do, and what it was asked.

    `trouble` maps a prompt to `429` (once), `500` (always), `fail`, `hang`, `text`, `huge`, `elsewhere` ….
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.trouble: dict[str, str] = {}
        self.jobs: dict[str, tuple[str, int]] = {}
        self.files: dict[str, bytes] = {}
        self.uploads: list[bytes] = []
        self.refused: set[str] = set()
        self.address = ""
        self.lock = threading.Lock()

    def paths(self, method: str) -> list[str]:
        return [path for kind, path, _, _ in self.asked if kind == method]


class Handler(BaseHTTPRequestHandler):
    service: Service

    def _send(self, status: int, value: Any, **headers: str) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        service = self.service
        if self.path.endswith("/upload/image"):
            service.uploads.append(raw)
            service.asked.append(("POST", self.path, dict(self.headers), None))
            return self._send(
                200, {"name": f"up-{len(service.uploads)}.png", "subfolder": "", "type": "input"}
            )
        body = json.loads(raw)
        service.asked.append(("POST", self.path, dict(self.headers), body))
        prompt = _prompt(body)
        trouble = service.trouble.get(prompt, "")
        if trouble == "429":
            with service.lock:
                first = prompt not in service.refused
                service.refused.add(prompt)
            if first:
                return self._send(429, {"error": "slow down"}, Retry_After="0.05")
        if trouble == "500":
            return self._send(500, {"error": "broken"})
        if trouble == "400":
            return self._send(400, {"error": "prompt is not allowed"})
        if "generateContent" in self.path:
            return self._send(200, self._gemini(trouble))
        number = str(len(service.jobs) + 1)
        service.jobs[number] = (prompt, 0)
        if self.path.endswith("/predictions"):
            return self._send(
                201, {"id": number, "status": "starting", "output": None, "model": "owner/model"}
            )
        return self._send(200, {"prompt_id": number, "number": 1, "node_errors": {}})

    def _gemini(self, trouble: str) -> Any:
        if trouble == "none":
            return {"candidates": [{"content": {"parts": [{"text": "no"}]}, "finishReason": "IMAGE_SAFETY"}]}
        data = b"not an image" if trouble == "text" else png()
        coded = "%%%" if trouble == "elsewhere" else base64.b64encode(data).decode()
        parts = [{"text": "here"}, {"inlineData": {"mimeType": "image/png", "data": coded}}]
        usage = {"promptTokenCount": 5, "candidatesTokenCount": 1290}
        return {"candidates": [{"content": {"parts": parts}}], "usageMetadata": usage, "modelVersion": "g-1"}

    def do_GET(self) -> None:
        service = self.service
        service.asked.append(("GET", self.path, dict(self.headers), None))
        if self.path.startswith(("/file", "/view")):
            name = self.path.partition("?")[0].rpartition("/")[2]
            data = service.files.get(name, png("blue"))
            self._send(200, data, Content_Type="image/png")
            return
        number = self.path.rpartition("/")[2]
        with service.lock:
            prompt, polls = service.jobs[number]
            service.jobs[number] = (prompt, polls + 1)
        trouble = service.trouble.get(prompt, "")
        if trouble == "poll-503" and polls == 0:
            self._send(503, {"error": "busy"})
            return
        if "/history/" in self.path:
            self._send(200, {} if polls < 2 else {number: self._history(trouble)})
            return
        ended = polls >= 2 and trouble != "hang"
        status = ("failed" if trouble == "fail" else "succeeded") if ended else "processing"
        output = None
        if status == "succeeded":
            service.files["odd"] = b"<html>sign in</html>"
            service.files["big"] = b"x" * (3 * 2**20)
            name = {"text": "odd", "huge": "big"}.get(trouble, "good")
            output = ["file:///etc/hosts" if trouble == "elsewhere" else f"{service.address}/file/{name}"]
        error = "out of memory" if trouble == "fail" else None
        self._send(
            200, {"id": number, "status": status, "output": output, "error": error, "model": "owner/model"}
        )

    def _history(self, trouble: str) -> Any:
        if trouble == "fail":
            return {"status": {"status_str": "error", "messages": [["execution_error", "no such node"]]}}
        images = [{"filename": "a b.png", "subfolder": "", "type": "output"}]
        return {"status": {"status_str": "success"}, "outputs": {"9": {"images": images}}}

    def log_message(self, format: str, *args: Any) -> None: ...


def _prompt(body: Any) -> str:
    if "contents" in body:
        return str(next(part["text"] for part in body["contents"][0]["parts"] if "text" in part))
    if "input" in body:
        return str(body["input"]["prompt"])
    return str(body["prompt"]["6"]["inputs"]["text"])


@contextmanager
def serving() -> Iterator[Service]:
    """A server on a free port, until the block ends."""
    service = Service()
    kind = type("Bound", (Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    service.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
