"""HPSv3 against the published package on tiny weights under its published names."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evalsuite.features import NetworkSpec, load_scorer
from tests.features.scorers import write_hpsv3
from tests.goldens import golden_dir

_CASES = Path(__file__).parent / "oracles" / "hpsv3_cases.json.gz"


def test_rewards_are_those_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(golden_dir("oracles"))
    import generators

    cases = json.loads(gzip.decompress(_CASES.read_bytes()))["cases"]
    spec = NetworkSpec("hpsv3", str(write_hpsv3(tmp_path)), "qwen2-vl", "HPSv3")
    scorer: Any = load_scorer(spec, "cpu")
    images = [Image.fromarray(generators.image(**case["image"])) for case in cases]
    found = scorer.scores([scorer.prepare(image) for image in images], [case["text"] for case in cases])
    official = [case["official"]["mu"] for case in cases]
    assert len(set(official)) == len(cases) == 8
    assert np.abs(found - official).max() < 1e-5
