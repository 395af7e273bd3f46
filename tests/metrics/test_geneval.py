"""GenEval's rules one by one; its verdicts are compared with the official script's in tests/golden."""

from __future__ import annotations

import pytest

from evalsuite.errors import DataError, SampleError
from evalsuite.metrics.geneval import Detection, keep_detections, summarize, verdict


def _at(x: float, y: float, score: float = 0.95, color: str | None = None, size: float = 10) -> Detection:
    return Detection((x, y, x + size, y + size), score, color)


def test_scores_at_the_threshold_do_not_count() -> None:
    found = {"cat": [_at(0, 0, 0.3), _at(0, 0, 0.3000001)], "dog": [_at(0, 0, 0.9), _at(0, 0, 0.91)]}
    assert len(keep_detections(found, counting=False)["cat"]) == 1
    assert len(keep_detections(found, counting=True)["dog"]) == 1
    assert "cat" not in keep_detections(found, counting=True)


def test_at_most_sixteen_of_a_class_are_kept_the_best_first() -> None:
    found = {"cat": [_at(0, 0, 0.5 + index / 100) for index in range(20)]}
    scores = [detection.score for detection in keep_detections(found, counting=False)["cat"]]
    assert scores == sorted(scores, reverse=True)
    assert (len(scores), scores[0]) == (16, 0.69)


def test_counting_forbids_one_more() -> None:
    metadata = {"include": [{"class": "cat", "count": 2}], "exclude": [{"class": "cat", "count": 3}]}
    assert verdict({"cat": [_at(0, 0)] * 2}, metadata).correct
    assert verdict({"cat": [_at(0, 0)] * 3}, metadata).reasons == ("expected cat<3, found 3",)
    assert verdict({"cat": [_at(0, 0)]}, metadata).reasons == ("expected cat>=2, found 1",)


def test_colour_is_asked_of_the_best_detections_only() -> None:
    metadata = {"include": [{"class": "cat", "count": 1, "color": "red"}]}
    red, blue = _at(0, 0, 0.9, "red"), _at(0, 0, 0.95, "blue")
    assert verdict({"cat": [red, blue]}, metadata).correct
    wrong = verdict({"cat": [blue, red]}, metadata).reasons
    assert wrong == ("expected red cat>=1, found 0 red; and 1 blue",)
    with pytest.raises(DataError, match="colour"):
        verdict({"cat": [_at(0, 0)]}, metadata)


def test_position_is_relative_to_an_earlier_object_and_needs_distance() -> None:
    metadata = {
        "include": [{"class": "dog", "count": 1}, {"class": "cat", "count": 1, "position": ["left of", 0]}]
    }
    assert verdict({"dog": [_at(100, 0)], "cat": [_at(0, 0)]}, metadata).correct
    assert not verdict({"dog": [_at(0, 0)], "cat": [_at(100, 0)]}, metadata).correct
    touching = verdict({"dog": [_at(1, 0)], "cat": [_at(0, 0)]}, metadata)
    assert touching.reasons == ("expected cat left of target, found  target",)
    assert verdict({"cat": [_at(0, 0)]}, metadata).reasons[1] == "no target for cat to be left of"


def test_the_overall_score_is_the_mean_of_the_tags() -> None:
    summary = summarize([True, True, False, False], ["colors", "colors", "colors", "position"], list("aabc"))
    assert summary.tasks == {"colors": pytest.approx(2 / 3), "position": 0}
    assert summary.overall == pytest.approx(1 / 3)
    assert summary.images == 0.5
    assert summary.prompts == pytest.approx(1 / 3)
    with pytest.raises(SampleError):
        summarize([], [], [])
