"""The one family of errors. Each message says what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class EvalsuiteError(Exception):
    """Anything evalsuite refuses to do; its text is written for the user and needs no traceback.

    Args:
        what: what is wrong and where, one line.
        remedy: what the user can do about it, one line; printed after the first.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class DataError(EvalsuiteError):
    """A data file, column, image or annotation is missing or malformed."""


class SpecError(EvalsuiteError):
    """What was asked for cannot be: unknown name, bad option, capability the model lacks."""


class StoreError(EvalsuiteError):
    """A run directory cannot be used: other specification, other version, full disk, corrupt file."""


class CheckpointError(EvalsuiteError):
    """A model folder lacks a file or holds another model."""


class UnavailableError(EvalsuiteError):
    """Something optional is not here (weights, Java, an extra); the text names it and how to get it."""


class SampleError(EvalsuiteError):
    """One sample could not be prepared, answered or scored; it is recorded as failed, the run continues."""


class OutOfMemoryError(EvalsuiteError):
    """A batch did not fit on the device; the engine halves it and tries again."""


class AdapterError(EvalsuiteError):
    """A model adapter broke its contract: another number or another kind of responses than was asked for."""


def text_of(error: BaseException) -> str:
    """What an error says, whoever raised it: also of one whose `str()` raises, and without advice to
    run remote code."""
    try:
        text = str(error)
    except Exception:
        return "its text cannot be made"
    return _without_bad_advice(text)


def reason_of(error: BaseException, limit: int = 2000) -> str:
    """One line that says what went wrong; for errors not written for users, with their type."""
    text = text_of(error)
    if not isinstance(error, EvalsuiteError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    line = " ".join(text.split()).encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= limit else line[:limit] + " …"


def is_interruption(error: BaseException) -> bool:
    """Whether it asks the whole process to stop. `SystemExit` from a plugin does not, nor does a panic of a
    library in Rust, which is no `Exception` either: both are failures of what was being done."""
    return isinstance(error, KeyboardInterrupt | GeneratorExit)


@contextmanager
def leaving(what: str) -> Iterator[None]:
    """Turns an attempt of foreign code to end the process (`sys.exit`, a panic of a library in Rust) into an
    error: nothing was measured, and exit status 0 would say that it was."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if is_interruption(error):
            raise
        raise SpecError(f"{what} ended the process ({reason_of(error)}).", "Correct its code.") from error


def _without_bad_advice(text: str) -> str:
    if "weights_only" not in text and "allow_pickle" not in text:
        return text
    return (
        "the file holds more than numbers: to read it, code in it would have to be run. Convert it where it "
        "was made, to safetensors or a plain .npz"
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence naming the nearest known names, for error messages."""
    import difflib  # costs start-up time, and most runs have no error

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(names)}." if names else "None are installed."
