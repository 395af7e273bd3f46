"""SPICE's program: what stands in its way, what it is given, and how its answer is read.

Stanford's parser models (1 GB) are not here, so the program is stood in for by one that checks its input and
answers in the format of spice-1.0.jar; the scores themselves are not SPICE's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from evalsuite.errors import SampleError, UnavailableError
from evalsuite.metrics import spice as module
from evalsuite.metrics.spice import spice, spice_obstacle

PROGRAM = """#!{python}
import json, sys
from pathlib import Path
assert sys.argv[1:4] == ["-jar", "-Xmx8G", "spice-1.0.jar"], sys.argv
assert Path("spice-1.0.jar").exists() and "-subset" in sys.argv and "-silent" in sys.argv
rows = json.load(open(sys.argv[4]))
if rows[0]["test"] == "fail":
    sys.exit("Exception in thread main: no memory")
made = [
    {{"image_id": r["image_id"], "scores": {{"All": {{"f": len(r["refs"]) / 10, "pr": 0.1, "re": 0.1}}}}}}
    for r in reversed(rows)
]
json.dump(made, open(sys.argv[sys.argv.index("-out") + 1], "w"))
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the program's files, and a `java` on the path."""
    (tmp_path / "lib").mkdir()
    for name in ("spice-1.0.jar", *(f"lib/{jar}" for jar in module._PARSER)):
        (tmp_path / name).touch()
    (tmp_path / "java").write_text(PROGRAM.format(python=sys.executable))
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(module, "_folder", lambda: tmp_path)
    return tmp_path


def test_scores_come_back_in_the_order_of_the_images(programs: Path) -> None:
    found = spice(["a cat", "b", "c"], [["x", "y"], ["x"], ["x", "y", "z"]])
    assert found.dtype == np.float64
    assert found.tolist() == [0.2, 0.1, 0.3]


def test_missing_parser_models_are_named_with_their_place_and_source(programs: Path) -> None:
    assert spice_obstacle() == ""
    (programs / "lib" / "stanford-corenlp-3.6.0-models.jar").unlink()
    assert "SPICE needs stanford-corenlp-3.6.0-models.jar in" in spice_obstacle()
    with pytest.raises(UnavailableError, match=r"stanford-corenlp-full-2015-12-09\.zip"):
        spice(["a"], [["a"]])


def test_without_java_that_is_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no `java` on the PATH" in spice_obstacle()


def test_a_program_that_fails_says_why(programs: Path) -> None:
    with pytest.raises(UnavailableError, match=r"exit code 1 \(Exception in thread main: no memory\)"):
        spice(["fail"], [["a"]])


def test_images_without_references_are_refused() -> None:
    with pytest.raises(SampleError):
        spice(["a"], [[]])
