"""Interleaved stories as JSON lines: `{"id", "parts": [{"text"} or {"image"}, ...]}`."""

from collections.abc import Sequence
from typing import Any

from ..render import render
from ..stories import Story
from .sink import Sink
from .truth import scene_row

STORIES = "stories/stories.jsonl"
TRUTH = "stories/scenes.jsonl"


def write_stories(sink: Sink, stories: Sequence[Story]) -> None:
    """Write stories and their images; image names in the files are relative to the folder `stories`."""
    rows: list[dict[str, Any]] = []
    truth: list[dict[str, Any]] = []
    for number, story in enumerate(stories, start=1):
        parts: list[dict[str, str]] = []
        for part in story:
            if isinstance(part, str):
                parts.append({"text": part})
                continue
            name = f"images/story-{number:04d}-{len(parts) // 2 + 1}.png"
            sink.image(f"stories/{name}", render(part))
            parts.append({"image": name})
            truth.append(scene_row(name, part))
        rows.append({"id": f"story-{number:04d}", "parts": parts})
    sink.jsonl(STORIES, rows)
    sink.jsonl(TRUTH, truth)
