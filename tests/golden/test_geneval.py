"""GenEval verdicts and reasons against the official script on generated detections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from evalsuite.metrics.geneval import Detection, keep_detections, verdict
from tests.goldens import case_files, find_support, read_json, read_lines


def _unordered(reasons: Sequence[str]) -> list[set[str]]:
    """Reasons as sets, because the official text lists a Python set in hash order."""
    return [set(line.replace(" target", "").replace(" and ", " found ").split(" found ")) for line in reasons]


@pytest.mark.parametrize("path", case_files("*geneval_cases*.json*"), ids=lambda path: path.name)
def test_every_image_gets_the_official_verdict_and_reason(
    path: Path, compared: Callable[[str, int], None]
) -> None:
    # The prompts belong to the benchmark and are not copied here; the cases name them by line.
    prompts = find_support("geneval", "evaluation_metadata.jsonl")
    if prompts is None:
        pytest.skip("GenEval's prompts (geneval/evaluation_metadata.jsonl) are not in the golden folder")
    metadata = read_lines(prompts)
    rows = read_json(path)["rows"]
    for line, detections, correct, reason in rows:
        found = {
            name: [Detection((x1, y1, x2, y2), score, color) for x1, y1, x2, y2, score, color in boxes]
            for name, boxes in detections.items()
        }
        kept = keep_detections(found, counting=metadata[line]["tag"] == "counting")
        ours = verdict(kept, metadata[line])
        assert ours.correct == correct
        assert _unordered(ours.reasons) == _unordered(reason.split("\n") if reason else [])
    compared("GenEval verdicts", len(rows))
