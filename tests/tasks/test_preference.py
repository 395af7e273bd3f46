"""Preference models as columns of benchmarks with images: one pass, what is missing, what is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from evalsuite.content import Image
from evalsuite.data import images as decoding
from evalsuite.errors import SpecError
from evalsuite.exchange import import_images
from evalsuite.features import blocks
from evalsuite.request import ImageResponse
from evalsuite.running.scoring import Scored, score_run
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader
from evalsuite.task.preference import PREFERENCES
from tests.features.scorers import write_all
from tests.tasks.asking import build
from tests.tasks.test_qa_alignment import dpg, dpg_answers, drawn


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Column -> folder with tiny weights."""
    return write_all(tmp_path_factory.mktemp("scorers"))


def _options(weights: dict[str, str], *columns: str) -> dict[str, str]:
    chosen = columns or tuple(weights)
    return {
        "preference": ",".join(chosen),
        "preference-weights": ",".join(f"{name}={weights[name]}" for name in chosen),
    }


def _folder(tmp_path: Path) -> Path:
    from evalsuite.exchange.layouts.grids import make_grid
    from tests.data.image_files import encoded

    made = tmp_path / "made"
    made.mkdir()
    for start, name in enumerate(("a1.png", "b2.png")):
        tiles = [Image(encoded(seed=4 * start + k, width=24, height=24)) for k in range(4)]
        (made / name).write_bytes(make_grid(tiles, ".png"))
    return made


def _data(tmp_path: Path) -> Path:
    data = dpg(tmp_path / "data")
    dpg_answers(data / "answers.jsonl")
    lines = (data / "answers.jsonl").read_text().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), "model": "mplug"})
    (data / "answers.jsonl").write_text("\n".join(lines))
    return data


def _numbers(scored: Scored) -> dict[str, float]:
    assert not scored.errors, scored.errors
    return {f"{e.metric.name} {e.group}".strip(): e.value for e in scored.results[0].numbers()}


def test_every_model_is_a_column_beside_the_benchmarks_own(
    tmp_path: Path, weights: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(weights) == set(PREFERENCES)
    task = TaskSpec(name="dpg-bench", rules="corrected", data=_data(tmp_path), options=_options(weights))
    decoded: list[str] = []

    def counted(image: Image, **more: Any) -> Any:
        decoded.append(image.sha256())
        return decoding.decode(image, **more)

    monkeypatch.setattr(blocks, "decode", counted)
    scored = import_images(tmp_path / "run", task, _folder(tmp_path), "dpg", model="m")
    found = _numbers(scored)
    assert {*weights} <= {*found}
    assert "score" in found
    assert all(np.isfinite(found[name]) for name in weights)
    assert 0 <= found["VQAScore"] <= 1
    assert 0 <= found["BLIP-VQA"] <= 1
    assert found["HPSv2.1"] != found["HPSv2.1 without antialias"]
    assert len(decoded) == len(set(decoded)) == 8, "each image is decoded once for all ten models"
    with RunReader(tmp_path / "run") as reader:
        (result,) = reader.metrics()
        table = reader.scores("dpg-bench")
    assert {*weights} <= {*result.details}
    assert result.details["VQAScore"]["preprocess"] == "padded"
    assert np.isclose(table["value.ImageReward"].mean(), found["ImageReward"])
    decoded.clear()
    assert _numbers(score_run(tmp_path / "run")) == found
    assert not decoded, "scores are kept with the run"


def test_a_model_whose_weights_are_not_here_is_left_out_with_the_reason(
    tmp_path: Path, weights: dict[str, str]
) -> None:
    options = _options(weights, "Aesthetic")
    options["preference"] += ",VQAScore,ImageReward"
    task = TaskSpec(name="dpg-bench", data=_data(tmp_path), options=options)
    scored = import_images(tmp_path / "run", task, _folder(tmp_path), "dpg", model="m")
    found = _numbers(scored)
    assert "Aesthetic" in found
    assert "score" in found
    missing = scored.results[0].missing
    assert set(missing) == {"VQAScore", "ImageReward"}
    assert "zhiqiulin/clip-flant5-xxl" in missing["VQAScore"]
    assert "image-reward-v1.0" in missing["ImageReward"]


def test_columns_change_no_data_and_leave_the_unjudged_unjudged(
    tmp_path: Path, weights: dict[str, str]
) -> None:
    data = dpg(tmp_path / "data")
    plain, more = build("dpg-bench", data), build("dpg-bench", data, options=_options(weights, "Aesthetic"))
    assert plain.fingerprint() == more.fingerprint()
    task = TaskSpec(name="dpg-bench", data=data, options=_options(weights, "Aesthetic"))
    scored = import_images(tmp_path / "run", task, _folder(tmp_path), "dpg", model="m")
    assert scored.results[0].unjudged == 2
    assert set(_numbers(scored)) == {"Aesthetic", "Aesthetic source=a", "Aesthetic source=b"}


def test_what_is_not_a_model_is_refused_before_anything_is_generated(tmp_path: Path) -> None:
    data = dpg(tmp_path / "data")
    with pytest.raises(SpecError, match=r"no preference model 'HPSv4'"):
        build("dpg-bench", data, options={"preference": "HPSv4"})
    with pytest.raises(SpecError, match="which is not asked for"):
        build("dpg-bench", data, options={"preference-weights": "HPSv2=x"})
    with pytest.raises(SpecError, match="is not NAME=FOLDER"):
        build("dpg-bench", data, options={"preference": "HPSv2", "preference-weights": "HPSv2"})
    with pytest.raises(SpecError, match="preference"):
        build("vqav2", data, options={"preference": "HPSv2"})


def test_a_broken_image_has_no_value_and_the_others_have(tmp_path: Path, weights: dict[str, str]) -> None:
    from evalsuite.task.preference import preferred

    data = dpg(tmp_path / "data")
    task = build("dpg-bench", data, options=_options(weights, "Aesthetic"))
    first, second = task.samples()
    torn = [Image(b"torn"), *cast(ImageResponse, drawn(first, 3).responses[0]).images]
    answered = [drawn(first, 4, images=torn), drawn(second, 4)]
    scores = task.score(answered)
    rows = [replace(row, failure="") for row in scores.rows]
    found = preferred(task, answered, replace(scores, rows=rows))
    assert ["Aesthetic" in row.values for row in found.rows] == [False, True]
