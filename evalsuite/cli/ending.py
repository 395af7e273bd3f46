"""How the program ends: signals, unexpected errors, and what is written of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import FrameType

import evalsuite
from evalsuite.cache import cache_folder
from evalsuite.cli.common import say
from evalsuite.errors import reason_of
from evalsuite.plain import plain, plain_line

ERROR = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
_SIGNALS = ("SIGTERM", "SIGHUP")
_LINE = 400


class Signals:
    """Makes SIGTERM and SIGHUP end a command as Ctrl-C does, and remembers which of them came.

    A signal that is ignored stays ignored (`nohup`), one that has another handler keeps it.
    """

    def __init__(self) -> None:
        self.received = 0
        """The first signal's number; 0 while none came."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        before = {}
        if threading.current_thread() is threading.main_thread():
            for name in _SIGNALS:
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                    before[number] = signal.signal(number, self._stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def exit_code(self, code: object) -> object:
        """The command's exit code: 143 after SIGTERM, 129 after SIGHUP, where it ended as interrupted."""
        return 128 + self.received if self.received and code == INTERRUPTED else code

    def _stop(self, number: int, _: FrameType | None) -> None:
        first, self.received = not self.received, self.received or number
        if first:  # while the run notes how it ended, a second signal would cut that off
            raise KeyboardInterrupt


def unforeseen(error: BaseException, *, debug: bool) -> None:
    """Reports an unexpected error in one line, and where its full trace is written."""
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception:  # a trace of an error whose parts cannot be shown
        trace = f"{type(error).__name__}: its trace cannot be made\n"
    if debug:
        say(trace, err=True)
    reason = plain_line(reason_of(error, _LINE)).rstrip(".")
    say(f"error: {reason}. {_kept(trace)}", err=True)


def _kept(trace: str) -> str:
    arguments = " ".join(map(repr, sys.argv[1:]))
    text = f"evalsuite {evalsuite.__version__}, Python {sys.version.split()[0]}, {sys.platform}\n"
    text += f"arguments: {arguments}\n\n{trace}"
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    with suppress(OSError, RuntimeError):  # full disk, forbidden folder, no home
        folder = cache_folder() / "traces"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{moment}-{os.getpid()}.txt"
        file.write_text(plain(text), encoding="utf-8")
        return f"This is a bug of evalsuite or of a plugin; the full trace is in {file}"
    return "This is a bug of evalsuite or of a plugin; the trace could not be written: see it with --debug"
