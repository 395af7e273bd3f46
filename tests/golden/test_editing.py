"""Image editing against the recorded output of MagicBrush, PIE-Bench, InstructPix2Pix, VIEScore, GEdit-Bench
and ImgEdit."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.images import decode_mask, edit_similarity, masked_quality, pair_turns, pixel_distance
from evalsuite.metrics.judge import EditGrade, edit_table, imgedit_grade, imgedit_types, parse_viescore
from tests.goldens import case_files, generators, read_json

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize("path", case_files("*editing_cases*.json*"), ids=lambda path: path.name)


def _section(path: Path, name: str) -> Any:
    cases = read_json(path)
    if name not in cases:
        pytest.skip(f"{path.name} has no section {name!r}")
    return cases[name]


@EVERY_FILE
def test_magicbrush_distances_agree(path: Path, compared: Compared) -> None:
    make = generators().edit_image
    rows = _section(path, "magicbrush_distance")["rows"]
    for generated, target, l1, l2 in rows:
        distance = pixel_distance(np.asarray(make(*generated)), np.asarray(make(*target)))
        assert distance.l1 == pytest.approx(l1, abs=1e-6)
        assert distance.l2 == pytest.approx(l2, abs=1e-6)
    compared("editing: MagicBrush L1 and L2", len(rows))


@EVERY_FILE
def test_magicbrush_turns_are_paired_as_officially(path: Path, compared: Compared) -> None:
    pairs = _section(path, "magicbrush_pairs")
    every, final = pair_turns(pairs["gen"], pairs["gt"])

    def paths(found: Any) -> Any:
        return [[f"gen/{p.session}/{p.generated}", f"gt/{p.session}/{p.target}"] for p in found]

    assert paths(every) == pairs["all_turn"]
    assert paths(final) == pairs["final_turn"]
    compared("editing: MagicBrush pairs", len(every) + len(final))


def _blended(row: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image

    make = generators().edit_image
    source, edited = make(*row[0]), make(*row[1])
    return np.asarray(source), np.asarray(Image.blend(source, edited, 0.1) if row[2] else edited)


@EVERY_FILE
def test_piebench_masks_and_qualities_agree(path: Path, compared: Compared) -> None:
    rows = _section(path, "piebench")["rows"]
    for row in rows:
        mask, expected = decode_mask(row[3]), row[5]
        assert mask.sum() == row[4]
        found = masked_quality(*_blended(row), mask)
        regions = {"": found.whole, "_unedit_part": found.unedited, "_edit_part": found.edited}
        for suffix, region in regions.items():
            for name in ("psnr", "mse", "ssim"):
                official = float(expected[name + suffix])
                if math.isnan(official):
                    assert region is None
                elif math.isinf(official):
                    assert region is not None
                    assert math.isinf(region.psnr)
                else:
                    ours = getattr(region, name)
                    assert ours == pytest.approx(official, rel=1e-6, abs=1e-6), (row[0], name)
    compared("editing: PIE-Bench qualities", len(rows))


@EVERY_FILE
def test_instructpix2pix_similarities_agree(path: Path, compared: Compared) -> None:
    rows = _section(path, "ip2p")["rows"]
    for seed, expected in rows:
        source = np.random.RandomState(seed)
        features = [source.standard_normal((3, 16)).astype(np.float32) for _ in range(4)]
        if seed == 0:
            features[1] = features[0]
        if seed == 1:
            features[3] = features[2]
        for index in range(3):
            found = edit_similarity(*(feature[index] for feature in features))
            values = [found.before, found.after, found.direction, found.image]
            assert values == pytest.approx([column[index] for column in expected], abs=1e-6)
    compared("editing: InstructPix2Pix similarities", len(rows))


@EVERY_FILE
def test_viescore_answers_parse_as_officially(path: Path, compared: Compared) -> None:
    rows = _section(path, "viescore_parse")["rows"]
    for answer, expected, _ in rows:
        assert parse_viescore(answer) == (expected if isinstance(expected, dict) else None), answer
    compared("editing: VIEScore's parser", len(rows))


@EVERY_FILE
def test_gedit_tables_equal_the_printed_ones(path: Path, compared: Compared) -> None:
    statistics = _section(path, "gedit_statistics")
    lines = statistics["stdout_en"].splitlines()
    half = lines.index("Intersection:")
    rows = [
        EditGrade(task, row[3], row[4], row[5])
        for task, table in statistics["tables"].items()
        for row in table
        if row[6] == "en"
    ]
    for intersection, printed in ((False, lines[:half]), (True, lines[half:])):
        table = edit_table(rows, intersection=intersection)
        for task, means in table.tasks.items():
            assert f"{task}: " + ", ".join(f"{mean:.3f}" for mean in means) in printed
        assert any(line.endswith(", ".join(f"{mean:.3f}" for mean in table.average)) for line in printed)
    compared("editing: GEdit-Bench tables, grades", len(rows))


@EVERY_FILE
def test_imgedit_grades_and_types_agree(path: Path, compared: Compared) -> None:
    cases = _section(path, "imgedit")
    for item, answer in cases["judge_outputs"].items():
        expected = cases["per_item"][item]
        if isinstance(expected, str):
            with pytest.raises(SampleError, match=r"(no|not a) number"):
                imgedit_grade(answer)
        else:
            assert imgedit_grade(answer) == expected, answer
    types = {item: meta["edit_type"] for item, meta in cases["meta"].items()}
    assert imgedit_types(cases["averages"], types) == cases["type_scores"]
    compared("editing: ImgEdit grades", len(cases["judge_outputs"]))
