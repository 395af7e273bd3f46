"""The process of an isolated adapter, and the conversation with it."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from evalsuite.errors import AdapterError, CheckpointError, SpecError, UnavailableError
from evalsuite.isolated import frames

CHILD = Path(__file__).with_name("child.py")
PROTOCOL = 1
HEARTBEAT = 5.0
"""Seconds between signs of life."""
PACKAGES = ("torch", "transformers", "diffusers", "accelerate", "flash-attn", "numpy")


class ChildDied(AdapterError):
    """The child's process is gone; the batch that it had may be sent to a new one."""


class ChildKilledError(CheckpointError):
    """The child's process was ended by a signal while it loaded, mostly not by the adapter."""


@dataclass(slots=True)
class Child:
    """One child process, from its start to its end.

    Args:
        python: the interpreter, or a command that runs one (`conda run -n bagel python`, `docker run -i …`).
        adapter: file with `load(options)`.
        options: for `load`.
        silence: seconds without a sign of life after which the child hangs.
        startup: seconds in which the model must be loaded.
    """

    python: str
    adapter: Path
    options: Mapping[str, str]
    silence: float = 120.0
    startup: float = 1800.0
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path = field(default_factory=lambda: Path(os.devnull))
    _process: subprocess.Popen[bytes] | None = None
    _frames: queue.Queue[Any] = field(default_factory=queue.Queue)
    _number: int = 0

    def start(self) -> dict[str, Any]:
        """Starts the interpreter and loads the adapter; returns what it says of itself.

        Raises:
            SpecError: there is no such interpreter, or it is too old.
            CheckpointError: the adapter could not be loaded; ChildKilledError: it was killed meanwhile.
            UnavailableError: it did not answer in time.
        """
        words = shlex.split(self.python)
        if not words or shutil.which(words[0]) is None:
            raise SpecError(
                f"There is no interpreter {self.python!r}.",
                "Give the path of a Python 3.8 or newer, such as /envs/bagel/bin/python.",
            )
        handle, name = tempfile.mkstemp(prefix="evalsuite-isolated-", suffix=".log")
        os.close(handle)
        self.log = Path(name)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*words, "-c", CHILD.read_text(encoding="utf-8")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self.environment, "PYTHONPATH": ""},
                start_new_session=True,
            )
        self._frames = queue.Queue()  # the last child's end is not this one's
        threading.Thread(target=_listen, args=(self._process, self._frames), daemon=True).start()
        try:
            self._send({
                "kind": "hello", "protocol": PROTOCOL, "adapter": str(self.adapter.resolve()),
                "options": dict(self.options), "heartbeat": HEARTBEAT, "packages": list(PACKAGES),
            })  # fmt: skip
            about, _ = self._receive(self.startup)
        except (ChildDied, frames.BrokenFrameError) as error:
            killed = self._ended_by(self._process)
            self.stop()
            if killed:
                raise ChildKilledError(
                    f"{self.adapter.name}: the child was ended by {killed} while it loaded.",
                    f"Its output is in {self.log}. Is there memory enough for it?",
                ) from error
            raise CheckpointError(
                f"{self.adapter.name} cannot be loaded by {self.python}: {self.last_words() or error}",
                f"Its output is in {self.log}. The interpreter must be Python 3.8 or newer.",
            ) from error
        except TimeoutError as error:
            self.stop()
            raise UnavailableError(
                f"{self.adapter.name} was not loaded after {self.startup:g} s.",
                f"Its output is in {self.log}; --option startup_timeout=… waits longer.",
            ) from error
        if about.get("kind") == "refused":
            self.stop()
            raise CheckpointError(
                f"{self.adapter.name} fails in {self.python}: {about.get('error', '')}",
                f"Its output is in {self.log}. A package that is missing is to be installed there, not here.",
            )
        if about.get("kind") != "ready" or about.get("protocol") != PROTOCOL:
            self.stop()
            raise AdapterError(
                f"{self.adapter.name} answered {about.get('kind')!r} instead of getting ready."
            )
        return about

    def ask(
        self, method: str, requests: Sequence[dict[str, Any]], blobs: Sequence[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """The frame that answers a batch.

        Raises ChildDied when the process is gone, hangs or breaks the protocol; it is ended then.
        """
        self._number += 1
        try:
            self._send(
                {"kind": "batch", "number": self._number, "method": method, "requests": list(requests)}, blobs
            )
            answer, found = self._receive(None)
        except TimeoutError as error:
            self.stop()
            raise ChildDied(f"the child gave no sign of life for {self.silence:g} s") from error
        except (ChildDied, frames.BrokenFrameError) as error:
            words = self.last_words()
            self.stop()
            raise ChildDied(f"{error.what}{f': {words}' if words else ''}") from error
        if answer.get("number") != self._number:
            self.stop()
            raise ChildDied("the child answered another batch than it was asked")
        return answer, found

    @property
    def alive(self) -> bool:
        """Whether its process is running."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the child and whatever it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # Not before: closing waits for the thread that reads, which waits for the child.
        with contextlib.suppress(OSError):
            if process.stdout is not None:
                process.stdout.close()

    def last_words(self, lines: int = 3) -> str:
        """The end of what the child printed, in one line."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""
        return " | ".join(line.strip() for line in text.splitlines()[-lines:])[-500:]

    def _send(self, value: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise ChildDied("the child is not running")
        try:
            for part in frames.pack(value, blobs):
                process.stdin.write(part)
            process.stdin.flush()
        except (OSError, ValueError) as error:
            raise ChildDied(self._how(process)) from error

    def _receive(self, patience: float | None) -> tuple[dict[str, Any], list[bytes]]:
        """The next frame that is no heartbeat. `patience`: in all; None: as long as there are signs of
        life."""
        waited = 0.0
        while True:
            try:
                got = self._frames.get(
                    timeout=self.silence if patience is None else max(0.01, min(1.0, patience))
                )
            except queue.Empty:
                if patience is None:
                    raise TimeoutError from None
                waited += min(1.0, patience)
                if waited >= patience:
                    raise TimeoutError from None
                continue
            if isinstance(got, BaseException):
                raise got
            if got is None:
                raise ChildDied(self._how(self._process))
            if got[0].get("kind") != "heartbeat":
                return cast(tuple[dict[str, Any], list[bytes]], got)

    @classmethod
    def _how(cls, process: subprocess.Popen[bytes] | None) -> str:
        if process is None:
            return "the child is not running"
        killed = cls._ended_by(process)
        how = f"was ended by {killed}" if killed else f"ended with exit status {process.poll()}"
        return f"the child {how}"

    @staticmethod
    def _ended_by(process: subprocess.Popen[bytes] | None) -> str:
        """The name of the signal that ended it; empty where none did."""
        if process is None:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)
        code = process.poll()
        return signal.Signals(-code).name if code is not None and code < 0 else ""


def _listen(process: subprocess.Popen[bytes], found: queue.Queue[Any]) -> None:
    """Reads frames as they come, so that a hanging child is distinguished from a working one."""
    stream = cast(BinaryIO, process.stdout)
    while True:
        try:
            got = frames.read(stream)
        except BaseException as error:
            found.put(error if isinstance(error, frames.BrokenFrameError) else ChildDied(str(error)))
            return
        found.put(got)
        if got is None:
            return
