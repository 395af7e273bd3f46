"""LLaVA-Bench: the scores of reviews, and their summaries."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.metrics.judge import parse_pair, relative_score
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize(
    "path", case_files("*llava_bench_cases*.json*"), ids=lambda path: path.name
)


def _same(ours: float, theirs: float | str) -> bool:
    return ours == float(theirs) or (math.isnan(ours) and math.isnan(float(theirs)))


@EVERY_FILE
def test_reviews_have_the_official_scores(path: Path, compared: Compared) -> None:
    cases = read_json(path)["reviews"]
    for case in cases:
        assert all(map(_same, parse_pair(case["review"]), case["official"])), case
    compared("LLaVA-Bench reviews", len(cases))


@EVERY_FILE
def test_published_reviews_have_their_scores(path: Path, compared: Compared) -> None:
    """Reviews that begin with words were scored by hand."""
    for run in read_json(path)["published"]:
        pairs = [
            (list(parse_pair(head)), scores)
            for head, scores in zip(run["heads"], run["published"], strict=True)
        ]
        read = [pair for pair in pairs if pair[0] != [-1, -1]]
        assert len(read) > len(pairs) / 2
        assert all(ours == theirs for ours, theirs in read), run["file"]
        compared("LLaVA-Bench published reviews", len(read))


@EVERY_FILE
def test_summaries_are_the_official_ones(path: Path, compared: Compared) -> None:
    for one in read_json(path)["summaries"]:
        groups: dict[str, list[list[float]]] = defaultdict(list)
        for row in one["rows"]:
            groups["all"].append(row["tuple"])
            groups[row["category"]].append(row["tuple"])
        for name, expected in one["relative_gpt4_model"].items():
            reference, model = (sum(column) / len(groups[name]) for column in zip(*groups[name], strict=True))
            got = [
                relative_score(reference, model),
                *(round(10 * round(x, 3), 1) for x in (reference, model)),
            ]
            assert got == pytest.approx(expected, abs=1e-9), name
        compared("LLaVA-Bench summaries, reviews", len(one["rows"]))
