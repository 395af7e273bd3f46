"""METEOR 1.5 through its own program, which pycocoevalcap carries.

One Java process serves all sets of this Python process: loading the paraphrases takes it about ten seconds.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import SampleError, UnavailableError

__all__ = ["MeteorScores", "meteor", "meteor_available", "meteor_obstacle"]


@dataclass(frozen=True, slots=True)
class MeteorScores:
    """METEOR of a set (aggregated over segments, not their mean) and of every image, in [0, 1].

    `segments` holds the statistics of each image as the program prints them; added up, they aggregate to the
    score of any selection of images.
    """

    corpus: float
    per_image: NDArray[np.float64]
    segments: tuple[str, ...]


def _jar() -> Path:
    package = find_spec("pycocoevalcap")
    for folder in (package.submodule_search_locations or []) if package else []:
        jar = Path(folder) / "meteor" / "meteor-1.5.jar"
        if jar.exists():
            return jar
    raise UnavailableError(
        "METEOR needs meteor-1.5.jar, which the package pycocoevalcap carries.",
        'Install it with: pip install "evalsuite[meteor]"',
    )


def meteor_obstacle() -> str:
    """Why METEOR cannot be computed here, and what to do; "" where it can."""
    if shutil.which("java") is None:
        return "METEOR needs Java, and there is no `java` on the PATH. Install a Java runtime (8 or newer)."
    try:
        _jar()
    except UnavailableError as error:
        return str(error)
    return ""


def meteor_available() -> bool:
    """Whether Java and the METEOR program are here."""
    return not meteor_obstacle()


class _Program:
    """A running `meteor-1.5.jar -stdio`, options as in pycocoevalcap."""

    def __init__(self) -> None:
        jar = _jar()
        java = shutil.which("java")
        if java is None:
            raise UnavailableError(
                "METEOR needs Java, and there is no `java` on the PATH.",
                "Install a Java runtime (8 or newer), or leave METEOR out.",
            )
        command = [java, "-jar", "-Xmx2G", jar.name, "-", "-", "-stdio", "-l", "en", "-norm"]
        self._process = subprocess.Popen(
            command,
            cwd=jar.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()

    def ask(self, line: str) -> str:
        assert self._process.stdin is not None
        # A program that has died says so when it is read.
        with suppress(OSError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        return self.read()

    def read(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise UnavailableError(
                f"The METEOR program ended early (exit code {self._process.wait()}).",
                "It needs 2 GB of memory; run `java -version` to see whether Java works.",
            )
        return answer.strip()

    def evaluate(self, segments: Sequence[str]) -> tuple[list[float], float]:
        per_image = [float(self.ask("EVAL ||| " + " ||| ".join(segments)))]
        per_image += [float(self.read()) for _ in segments[1:]]
        return per_image, float(self.read())


_in_use = threading.Lock()
_running: list[_Program] = []


def _program() -> _Program:
    """The program that runs already, or a new one; it ends with this process."""
    if not _running or not _running[0].alive():
        _running[:] = [_Program()]
        atexit.register(_running[0].close)
    return _running[0]


def _one_line(text: str) -> str:
    # The program reads lines, and "|||" is its separator.
    return " ".join(text.splitlines()).replace("|||", "").replace("  ", " ")


def meteor(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> MeteorScores:
    """METEOR 1.5 of captions in [0, 1], as pycocoevalcap computes it with the Java program.

    Args:
        predictions: one tokenised caption per image (`ptb.tokenize_captions`).
        references: the captions of each image, at least one.

    Raises:
        UnavailableError: no Java, or no METEOR program.
        SampleError: not one prediction per image, or an image without references.
    """
    if len(predictions) != len(references) or not predictions or not all(references):
        raise SampleError("METEOR needs one prediction and at least one reference for every image.")
    segments = []
    with _in_use:
        program = _program()
        try:
            for prediction, image in zip(predictions, references, strict=True):
                given = [" ".join(reference.splitlines()) for reference in image]
                segments.append(program.ask(" ||| ".join(["SCORE", *given, _one_line(prediction)])))
            per_image, corpus = program.evaluate(segments)
        except BaseException:  # what is half asked would be answered to the next
            program.close()
            raise
    return MeteorScores(corpus, np.array(per_image), tuple(segments))
