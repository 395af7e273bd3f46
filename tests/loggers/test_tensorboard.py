"""Event files, read back by TensorBoard's own reader."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from evalsuite.loggers import destination, forget, log_all

pytest.importorskip("tensorboard", reason="the extra evalsuite[tensorboard] is not installed")


def _read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    found.Reload()
    return found


def test_both_checkpoints_make_one_curve_with_images(runs: list[Path], tmp_path: Path) -> None:
    to = destination(f"tensorboard:{tmp_path / 'logs'}", "mine")
    outcome = log_all(runs, to)
    assert (outcome.error, outcome.written) == (None, 2)
    found = _read(tmp_path / "logs" / "mine" / "base")
    points = found.Scalars("shapes/accuracy")
    assert [(one.step, one.value) for one in points] == [(1000, 100.0), (2000, 100.0)]
    tags = found.Tags()["images"]
    assert len(tags) == 4
    images = found.Images(tags[0])
    assert [one.step for one in images] == [1000, 2000]
    assert pil.open(io.BytesIO(images[0].encoded_image_string)).size == (images[0].width, images[0].height)


def test_logging_again_replaces_and_does_not_double(runs: list[Path], tmp_path: Path) -> None:
    to = destination(f"tensorboard:{tmp_path / 'logs'}")
    log_all(runs, to)
    forget(runs, to)
    assert log_all(runs, to).written == 2
    folder = tmp_path / "logs" / "evalsuite" / "base"
    assert len(list(folder.iterdir())) == 2
    assert len(_read(folder).Scalars("shapes/accuracy")) == 2
