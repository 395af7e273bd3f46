"""A real browser on a page from disk, driven over Chromium's debugging pipe; no port, no network."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)


class Page:
    """One tab. Messages that the page logs as errors are kept in `errors`."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._rest, self._last = write, read, b"", 0
        self._session = ""
        self.errors: list[str] = []

    def send(self, method: str, **parameters: Any) -> Any:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                return answer["result"]
            if answer.get("method") == "Log.entryAdded":
                self.errors.append(answer["params"]["entry"]["text"])
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(answer["params"]))

    def open(self, url: str) -> None:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.go(url)

    def go(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        self.evaluate(
            "new Promise(done => document.readyState == 'complete' ? done() : addEventListener('load', done))"
        )

    def evaluate(self, script: str) -> Any:
        """The value of a script, promises awaited."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def key(self, name: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": name} if kind == "keyDown" and len(name) == 1 else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=name, **text)

    def screenshot(self, path: Path, width: int = 1000, height: int = 800) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def _receive(self) -> Any:
        while b"\0" not in self._rest:
            more = os.read(self._read, 1 << 16)
            assert more, "the browser ended"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)


@contextmanager
def browser(folder: Path, url: str) -> Iterator[Page]:
    """A page in a fresh profile below `folder`."""
    ours_read, theirs_write = os.pipe()
    theirs_read, ours_write = os.pipe()
    high_read, high_write = (fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in (theirs_read, theirs_write))

    def hand_over() -> None:
        os.dup2(high_read, 3)
        os.dup2(high_write, 4)

    flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
             "--disable-dev-shm-usage", f"--user-data-dir={folder / 'profile'}")  # fmt: skip
    process = subprocess.Popen(
        [PROGRAM, *flags, "about:blank"], pass_fds=(3, 4), preexec_fn=hand_over,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for fd in (theirs_read, theirs_write, high_read, high_write):
        os.close(fd)
    try:
        page = Page(ours_write, ours_read)
        page.open(url)
        yield page
    finally:
        process.terminate()
        process.wait(20)
        os.close(ours_read)
        os.close(ours_write)
