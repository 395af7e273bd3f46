"""SPICE 1.0 through its own program, which pycocoevalcap carries; Stanford's parser models must be added."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import SampleError, UnavailableError

__all__ = ["spice", "spice_obstacle"]

_PARSER = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")


def _folder() -> Path | None:
    package = find_spec("pycocoevalcap")
    places = (package.submodule_search_locations or []) if package else []
    folders = (Path(place) / "spice" for place in places)
    return next((folder for folder in folders if (folder / "spice-1.0.jar").exists()), None)


def spice_obstacle() -> str:
    """Why SPICE cannot be computed here, and what to do; "" where it can."""
    if shutil.which("java") is None:
        return "SPICE needs Java, and there is no `java` on the PATH. Install a Java runtime (8 or newer)."
    folder = _folder()
    if folder is None:
        return 'SPICE needs the package pycocoevalcap: pip install "evalsuite[meteor]".'
    absent = [name for name in _PARSER if not (folder / "lib" / name).exists()]
    if absent:
        return (
            f"SPICE needs {' and '.join(absent)} in {folder / 'lib'}: they are in"
            " https://nlp.stanford.edu/software/stanford-corenlp-full-2015-12-09.zip"
            " (`python -m pycocoevalcap.spice.get_stanford_models` fetches it)."
        )
    return ""


def spice(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """(N,) F-scores in [0, 1] of tokenised captions (`ptb.tokenize_captions`); the corpus has their mean.

    The program and its options are those of pycocoevalcap (`spice/spice.py`), without its cache of parses,
    which would be written into the package.

    Raises:
        UnavailableError: no Java, no SPICE program, no parser models, or the program failed.
        SampleError: not one prediction per image, or an image without references.
    """
    if len(predictions) != len(references) or not predictions or not all(references):
        raise SampleError("SPICE needs one prediction and at least one reference for every image.")
    obstacle, folder = spice_obstacle(), _folder()
    if obstacle or folder is None:
        raise UnavailableError(obstacle)
    given = [
        {"image_id": number, "test": said, "refs": list(image)}
        for number, (said, image) in enumerate(zip(predictions, references, strict=True))
    ]
    with tempfile.TemporaryDirectory(prefix="evalsuite-spice-") as scratch:
        asked, answer = Path(scratch) / "captions.json", Path(scratch) / "scores.json"
        asked.write_text(json.dumps(given), encoding="utf-8")
        command = ["java", "-jar", "-Xmx8G", "spice-1.0.jar", str(asked), "-out", str(answer)]
        done = subprocess.run(
            [*command, "-subset", "-silent"], cwd=folder, capture_output=True, text=True, errors="replace"
        )
        if done.returncode != 0 or not answer.exists():
            told = (done.stderr or done.stdout).strip().splitlines()
            raise UnavailableError(
                f"The SPICE program ended with exit code {done.returncode}"
                + (f" ({told[-1][:200]})." if told else "."),
                "It needs 8 GB of memory, and parsers that run under Java 8; leave SPICE out otherwise.",
            )
        rows = json.loads(answer.read_text(encoding="utf-8"))
    found = {row["image_id"]: row["scores"]["All"]["f"] for row in rows}
    return np.array([_number(found.get(number)) for number in range(len(predictions))])


def _number(value: object) -> float:
    """The program writes what it could not compute as text: no number, as in pycocoevalcap."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
