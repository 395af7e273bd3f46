"""Contact sheets: in pages, lossless, from files and from shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evalsuite.content import Image as Content
from evalsuite.errors import SpecError
from evalsuite.gallery import draw
from evalsuite.gallery.sheets import FAINT, PAPER, thumbnail
from tests.engine.support import run_sums, sums_registry, sums_spec


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same images as files and in shards."""
    root = tmp_path_factory.mktemp("runs")
    for name, per_shard in (("files", 0), ("shards", 3)):
        run_sums(sums_spec("sum-images", count=7), root / name, image_shards=per_shard)
    return root / "files", root / "shards"


def sheet(run: Path, out: Path, **how: Any) -> int:
    return draw([run], out, registry=sums_registry(), size=32, **how)


@pytest.mark.slow
def test_many_samples_go_on_in_further_files(runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert sheet(runs[0], tmp_path / "g.png", columns=2, page=3) == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g-2.png", "g-3.png", "g.png"]
    heights = [Image.open(tmp_path / name).height for name in ("g.png", "g-2.png", "g-3.png")]
    assert heights[0] == heights[1] > heights[2]


def test_webp_is_as_lossless_as_png_and_shards_show_what_files_do(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    sheet(runs[0], tmp_path / "a.png")
    sheet(runs[1], tmp_path / "b.webp")
    first, second = (np.asarray(Image.open(tmp_path / name).convert("RGB")) for name in ("a.png", "b.webp"))
    np.testing.assert_array_equal(first, second)


def test_each_image_has_its_samples_headline_score(runs: tuple[Path, Path]) -> None:
    from evalsuite.gallery import drawing
    from evalsuite.store import RunReader

    with RunReader(runs[0]) as reader:
        shown = list(drawing._samples([reader], reader.task_keys[0], 3, False, "", sums_registry()))
    assert len(shown) == 3
    for one in shown:
        assert len(one.scores) == len(one.images)
        (score,) = one.scores
        name, value = score.rsplit(" ", 1)
        assert name
        assert 0 <= float(value) <= 1
    without = [drawing.Shown(one.prompt, one.images) for one in shown]
    sheets = [drawing._sheet(some, 3, 32) for some in (shown, without)]
    assert sheets[0].height > sheets[1].height


def test_a_gallery_of_another_kind_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"g\.jpg is not"):
        sheet(runs[0], tmp_path / "g.jpg")


def test_an_image_that_cannot_be_read_is_crossed_out_and_the_sheet_goes_on() -> None:
    pixels = np.asarray(thumbnail(Content(b"no picture"), 16))
    assert (pixels[5, 5] == FAINT).all()
    assert (pixels[5, 9] == PAPER).all()
