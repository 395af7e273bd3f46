"""One run of a tracker at a time, one for each series."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.loggers.entries import Entry, LoggedImage
from evalsuite.loggers.per_series import RunPerSeries


class Told(RunPerSeries):
    """Notes what a tracker is asked to do."""

    def __init__(self) -> None:
        super().__init__("", "project")
        self.calls: list[Any] = []
        self.fails = False

    def _opened(self, entry: Entry) -> Any:
        if self.fails:
            raise ConnectionError("not reachable")
        self.calls.append(("open", entry.series))
        return entry.series

    def _shown(self, image: pil.Image) -> Any:
        return image.mode, image.size

    def _log(self, run: Any, told: dict[str, Any], step: int) -> None:
        self.calls.append(("log", run, step, told))

    def _finish(self, run: Any) -> None:
        self.calls.append(("finish", run))


def entry(series: str, step: int, *images: LoggedImage) -> Entry:
    return Entry(series, step, "run", {"task/accuracy": 50.0}, {}, images)


def test_a_series_has_one_run_which_ends_when_another_begins() -> None:
    told = Told()
    for series, step in (("a", 1), ("a", 2), ("b", 1)):
        told.write(entry(series, step))
    told.close()
    told.close()
    assert [call[:3] for call in told.calls] == [
        ("open", "a"), ("log", "a", 1), ("log", "a", 2), ("finish", "a"),
        ("open", "b"), ("log", "b", 1), ("finish", "b"),
    ]  # fmt: skip


def test_numbers_and_rgb_images_are_logged_by_name() -> None:
    stream = io.BytesIO()
    pil.new("LA", (3, 2)).save(stream, "PNG")
    told = Told()
    told.write(entry("a", 7, LoggedImage("task/sample 1", Image(stream.getvalue()))))
    assert told.calls[-1] == (
        "log", "a", 7, {"task/accuracy": 50.0, "task/sample 1": ("RGB", (3, 2))},
    )  # fmt: skip


def test_a_tracker_that_cannot_be_reached_is_tried_again() -> None:
    told = Told()
    told.fails = True
    with pytest.raises(ConnectionError):
        told.write(entry("a", 1))
    told.fails = False
    told.write(entry("a", 1))
    assert [call[0] for call in told.calls] == ["open", "log"]
