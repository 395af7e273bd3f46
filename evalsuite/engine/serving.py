"""An inference engine as a child process: started, watched until healthy, restarted, and ended with this
process.

Between us and the engine stands a supervisor of a few lines, which shares nothing with evalsuite. It holds
the end of a pipe from us: when we are gone, however we went, it reads the end of the pipe and ends the
engine's process group. So no engine outlives a run that was killed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from evalsuite.errors import SpecError, UnavailableError

_SUPERVISOR = r"""
import ctypes, os, signal, subprocess, sys, threading
log = open(sys.argv[1], "ab", buffering=0)
def bound():
    os.setsid()
    try:  # Linux: the engine goes when this supervisor is killed, too
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except Exception:
        pass
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=bound)
def end(*_):
    for kind, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        try:
            os.killpg(child.pid, kind)
        except ProcessLookupError:
            pass
        try:
            child.wait(patience)
            break
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os._exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, signal.SIG_IGN)
def watch():
    sys.stdin.buffer.read()
    end()
threading.Thread(target=watch, daemon=True).start()
code = child.wait()
os._exit(code if code >= 0 else 128 - code)
"""


@dataclass(slots=True)
class EngineProcess:
    """An engine's process, from its command.

    Args:
        command: words, with `{port}` where the port goes.
        health: path that answers with 200 when the engine is ready.
        patience: seconds that it may take to become healthy; a large model is loaded in this time.
        environment: variables of the engine, beside this process's own.
        log: file for what it prints; None makes one in the folder for temporary files.
    """

    command: Sequence[str]
    health: str = "/health"
    patience: float = 1800.0
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _claim: IO[bytes] | None = None
    _begin: int = 0
    """Where the log of this start begins."""

    def start(self) -> None:
        """Starts the engine and waits until it is healthy.

        Raises:
            SpecError: the command has no `{port}`, or is no program.
            UnavailableError: it ended, or did not become healthy in time; says the last lines of its log.
        """
        if not any("{port}" in word for word in self.command):
            raise SpecError(
                f"The engine's command has no {{port}}: {shlex.join(self.command)}",
                "Write --port {port}, or as the engine wants it: evalsuite chooses a free port.",
            )
        if shutil.which(self.command[0]) is None:
            raise SpecError(
                f"There is no program {self.command[0]!r} to start the engine with.",
                "Install the engine, or give its path in --option engine=…",
            )
        if self.log is None:
            handle, name = tempfile.mkstemp(prefix="evalsuite-engine-", suffix=".log")
            os.close(handle)
            self.log = Path(name)
        for attempt in range(_PORTS_TRIED):
            try:
                self._start()
                return
            except _PortTaken as taken:
                if attempt == _PORTS_TRIED - 1:
                    raise UnavailableError(
                        f"{_PORTS_TRIED} ports in a row were taken by another program before the engine "
                        f"could listen: {taken}",
                        f"Its command was {shlex.join(self.command)}; its log is {self.log}.",
                    ) from taken

    def _start(self) -> None:
        assert self.log is not None
        self._begin = self.log.stat().st_size if self.log.exists() else 0
        self.port, self._claim = _claimed_port()
        words = [word.replace("{port}", str(self.port)) for word in self.command]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISOR, str(self.log), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )
        self._wait_until_healthy()

    @property
    def base_url(self) -> str:
        """Up to and with `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def alive(self) -> bool:
        """Whether its process is running."""
        return self._process is not None and self._process.poll() is None

    def healthy(self, patience: float = 5.0) -> bool:
        """Whether it runs and says that it is ready; a busy engine is given `patience` seconds to say so."""
        until = time.monotonic() + patience
        while self.alive:
            if self.get(self.health, timeout=max(0.1, until - time.monotonic())) is not None:
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        return False

    def stop(self) -> None:
        """Ends the engine: SIGTERM to its process group, SIGKILL ten seconds later."""
        process, self._process = self._process, None
        claim, self._claim = self._claim, None
        try:
            if process is not None:
                _end(process)
        finally:
            if claim is not None:
                with contextlib.suppress(OSError):
                    Path(claim.name).unlink()
                claim.close()

    def get(self, path: str, timeout: float = 10.0) -> bytes | None:
        """What the engine answers at a path; None where it does not answer with 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as reply:
                return bytes(reply.read(1_000_000)) if reply.status == 200 else None
        except (OSError, urllib.error.URLError, ValueError):
            return None

    def ending(self) -> str:
        """How it ended, with the end of what it printed: `by SIGILL: loading the model`; "" while it runs."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return ""
        number = code - 128 if code > 128 else -code
        try:
            how = f"by {signal.Signals(number).name}"
        except ValueError:
            how = f"with exit status {code}"
        return f"{how}: {self.last_words() or 'no output'}"

    def last_words(self, lines: int = 5) -> str:
        """The end of what it printed, in one line."""
        try:
            with Path(self.log or os.devnull).open("rb") as log:
                log.seek(self._begin)
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return " | ".join(line.strip() for line in text.strip().splitlines()[-lines:])[-120 * lines :]

    def _wait_until_healthy(self) -> None:
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            if not self.alive:
                ending = self.ending()
                taken = any(phrase in self.last_words(40).lower() for phrase in _TAKEN)
                self.stop()
                if taken:
                    raise _PortTaken(ending)
                raise UnavailableError(
                    f"The engine ended before it was ready, {ending}",
                    f"Its command was {shlex.join(self.command)}; its log is {self.log}.",
                )
            if self.get(self.health, timeout=2.0) is not None and self.alive:
                return
            time.sleep(0.2)
        words = self.last_words()
        self.stop()
        raise UnavailableError(
            f"The engine was not healthy after {self.patience:g} s (GET {self.health}): "
            f"{words or 'no output'}",
            f"Its log is {self.log}; --option startup_timeout=… waits longer, --option health=… looks "
            "elsewhere.",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()


class _PortTaken(Exception):
    """Another program listens where the engine was to; its argument is what the engine said."""


_PORTS_TRIED = 3
_TAKEN = ("address already in use", "eaddrinuse", "errno 98", "only one usage of each socket address")
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
"""Below what systems give to outgoing connections: an engine may take minutes before it listens."""


def _claimed_port() -> tuple[int, IO[bytes] | None]:
    """A port on which nobody listens, with a lock that keeps it from other workers of this machine.

    Raises UnavailableError where none is free.
    """
    folder = Path(tempfile.gettempdir())
    for port in random.SystemRandom().sample(range(_FIRST_PORT, _LAST_PORT), 200):
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
        try:
            claim = (folder / f"evalsuite-port-{port}.lock").open("ab")
        except OSError:  # another user's
            continue
        try:
            import fcntl

            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # no locks on this system
            claim.close()
            return port, None
        except OSError:
            claim.close()
            continue
        return port, claim
    raise UnavailableError(
        f"No port between {_FIRST_PORT} and {_LAST_PORT} is free for an engine.", "End what listens there."
    )
