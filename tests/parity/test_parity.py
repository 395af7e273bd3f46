"""`evalsuite parity`: real packages where they are installed, absent and broken ones as lines."""

from __future__ import annotations

import json
import os
import sys
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.errors import DataError, SpecError
from evalsuite.metrics.meteor import meteor_available
from evalsuite.parity import Environments, compare_captions, compare_images, compare_yes_no
from evalsuite.parity.lines import Ours, Tolerance, compare
from evalsuite.parity.packages import PACKAGES

pytestmark = pytest.mark.slow
PYTHON = os.environ.get("EVALSUITE_PARITY_PYTHON", "")
"""An environment with all official packages, for the tests that need those which no CI installs."""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which nothing is installed."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return folder


def _captions(folder: Path) -> tuple[Path, Path]:
    said, true = folder / "said.json", folder / "true.json"
    texts = [["A red ball.", "the dog's ball"], ["Two cats, sitting", "cats on U.S. grass"]]
    annotations = [{"image_id": i, "caption": text} for i, both in enumerate(texts) for text in both]
    true.write_text(json.dumps({"images": [{"id": 0}, {"id": 1}], "annotations": annotations}))
    said.write_text(
        json.dumps([{"image_id": 1, "caption": "two cats"}, {"image_id": 0, "caption": "a ball"}])
    )
    return said, true


def _folder(path: Path, seed: int, names: str = "{}.png") -> Path:
    path.mkdir()
    source = np.random.RandomState(seed)
    for i in range(12):
        array = source.randint(0, 256, (40, 48, 3)).astype(np.uint8)
        Image.fromarray(array).save(path / names.format(i))
    return path


@pytest.mark.skipif(not (find_spec("pycocoevalcap") and meteor_available()), reason="pycocoevalcap or Java")
def test_captions_equal_pycocoevalcaps_and_the_command_says_so(tmp_path: Path) -> None:
    said, true = _captions(tmp_path)
    done = CliRunner().invoke(app, ["parity", "captions", str(said), str(true), "--no-meteor", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    lines = {line["metric"]: line for line in found["lines"]}
    assert {"Bleu_4", "ROUGE_L", "CIDEr per image"} <= set(lines)
    assert found["passed"]
    assert {line["verdict"] for line in lines.values()} == {"equal"}
    assert lines["CIDEr"]["version"]
    assert lines["Bleu_1"]["theirs"] > 0


@pytest.mark.skipif(not find_spec("torchmetrics"), reason="torchmetrics")
def test_pairs_and_yes_no_equal_torchmetrics(tmp_path: Path) -> None:
    first, second = _folder(tmp_path / "a", 0), _folder(tmp_path / "b", 1)
    done = CliRunner().invoke(app, ["parity", "pairs", str(first), str(second)])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("equal") == 3
    assert "PSNR" in done.stdout
    file = tmp_path / "yn.jsonl"
    rows = [("Yes", "yes"), ("No, none", "yes"), ("yes", "no"), ("It is not", "no"), ("Yes!", "yes")]
    file.write_text("".join(json.dumps({"answer": a, "label": b}) + "\n" for a, b in rows))
    found = compare_yes_no(file, Environments())
    assert found.passed
    assert {line.metric: line.theirs for line in found.lines}["accuracy"] == pytest.approx(3 / 5)


def test_an_absent_package_is_a_line_that_says_how_to_get_it(tmp_path: Path, bare: Path) -> None:
    said, true = _captions(tmp_path)
    done = CliRunner().invoke(app, ["parity", "captions", str(said), str(true), "--python", str(bare)])
    assert done.exit_code == 1
    assert "absent" in done.stdout
    assert "pip install pycocoevalcap" in done.stdout
    assert "Nothing was compared" in done.stderr


def test_a_broken_package_is_a_line_with_its_error_and_a_difference_is_seen(
    tmp_path: Path, bare: Path
) -> None:
    """A package of that name in the environment, whose code is ours: it lacks scorers and counts wrongly."""
    site = next((bare / "lib").glob("python*/site-packages"))
    (site / "torchmetrics-9.9.dist-info").mkdir()
    (site / "torchmetrics-9.9.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchmetrics\nVersion: 9.9\n"
    )
    for name in ("torch", "torchmetrics"):
        (site / name).mkdir()
    (site / "torch" / "__init__.py").write_text("tensor = list\nprint('noise on standard output')\n")
    (site / "torchmetrics" / "__init__.py").write_text("")
    (site / "torchmetrics" / "functional.py").write_text(
        "class classification:\n    binary_accuracy = binary_precision = binary_recall = staticmethod("
        "lambda a, b: 0.25)\n    binary_f1_score = binary_accuracy\n"
    )
    file = tmp_path / "yn.jsonl"
    file.write_text('{"answer": "yes", "label": "yes"}\n')
    environments = Environments({"torchmetrics": str(bare)})
    found = compare_yes_no(file, environments)
    assert not found.passed
    assert [(line.verdict, line.version, line.theirs, line.ours) for line in found.lines] == [
        ("different", "9.9", 0.25, 1.0)
    ] * 4
    (site / "torchmetrics" / "functional.py").write_text("raise OSError('a library is missing')\n")
    (line,) = compare_yes_no(file, environments).lines
    assert line.verdict == "failed"
    assert "a library is missing" in line.note
    (site / "torch" / "__init__.py").write_text("import os\nos._exit(7)\n")
    (line,) = compare_yes_no(file, environments).lines
    assert "status 7" in line.note


def test_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr("evalsuite.parity.lines.ask", lambda *_: {"version": "1", "values": given})
    package = PACKAGES["torchmetrics"]

    def line(theirs: Any, ours: Any) -> tuple[str, float | None]:
        given[:] = [{"metric": "x", "mode": "", "value": theirs}]
        wanted = {("x", ""): Ours(lambda: ours, Tolerance(relative=0.01, absolute=0.1))}
        (found,) = compare(package, {}, wanted, Environments())
        return found.verdict, found.difference

    inf, nan = float("inf"), float("nan")
    verdict, difference = line(10.0, 10.15)
    assert (verdict, difference) == ("equal", pytest.approx(0.15))  # type: ignore[comparison-overlap]
    assert line(10.0, 10.3)[0] == "different"
    assert line(inf, inf) == ("equal", 0.0)
    assert line(nan, nan) == ("equal", 0.0)
    assert line(nan, 1.0)[0] == "different"
    assert line(inf, 1.0)[0] == "different"
    assert line([1.0, 2.0, 3.0], [1.0, 2.5, 3.0]) == ("different", 0.5)
    assert line([1.0], [1.0, 2.0]) == ("different", None)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    said, true = _captions(tmp_path)
    with pytest.raises(SpecError, match="clean-fid"):
        Environments({"clean-fidd": "x"})
    with pytest.raises(SpecError, match="no interpreter"):
        Environments({"": str(tmp_path / "nothing")}).python(PACKAGES["lm-eval"])
    with pytest.raises(SpecError, match="is no environment"):
        Environments({"": str(tmp_path)}).python(PACKAGES["lm-eval"])
    assert Environments().python(PACKAGES["lm-eval"]) == sys.executable
    said.write_text(json.dumps([{"image_id": 5, "caption": "x"}]))
    with pytest.raises(DataError, match="image 5 has no captions"):
        compare_captions(said, true, Environments())
    with pytest.raises(SpecError, match="feature layer"):
        compare_images(tmp_path, tmp_path, Environments(), dims="100")
    with pytest.raises(SpecError, match="folders of images"):
        compare_images(tmp_path, tmp_path, Environments(), packages=["lm-eval"])


@pytest.mark.skipif(not PYTHON, reason="EVALSUITE_PARITY_PYTHON names no environment of official packages")
def test_images_equal_with_made_up_weights(tmp_path: Path) -> None:
    import torch

    from evalsuite.metrics.inception import state_dict_shapes
    from tests.goldens import generators

    empty = {key: torch.empty(shape) for key, shape in state_dict_shapes().items()}
    torch.save(generators().inception_weights(empty), tmp_path / "w.pth")
    first, second = _folder(tmp_path / "a", 0), _folder(tmp_path / "b", 1)
    found = compare_images(
        first, second, Environments({"": PYTHON}), weights=str(tmp_path / "w.pth"), dims="64",
        packages=("torch-fidelity", "pytorch-fid", "torchmetrics"), subset_size=10, subsets=5,
    )  # fmt: skip
    assert found.passed, found.lines
    assert found.compared >= 10


@pytest.mark.skipif(not find_spec("torchmetrics"), reason="torchmetrics")
def test_torchmetrics_comes_after_the_operators_that_a_torchvision_beside_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from evalsuite.parity import child

    asked: list[str] = []
    monkeypatch.setattr(child, "version_of", lambda name: "0.28.0" if name == "torchvision" else "")
    monkeypatch.setattr(child, "import_torchvision", lambda: asked.append("torchvision"))
    answers: Any = child.Answers()
    child.torchmetrics_yes_no({"said": [1, 0], "truth": [1, 1]}, answers)
    assert asked == ["torchvision"]
    assert {one["metric"]: one["value"] for one in answers.values}["accuracy"] == 0.5
    monkeypatch.setattr(child, "version_of", lambda name: "")
    child.torchmetrics_yes_no({"said": [1, 0], "truth": [1, 1]}, answers)
    assert asked == ["torchvision"]
