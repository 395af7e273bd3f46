"""Processors of images and text whose video processor cannot be built, because torchvision is not installed.

Their images never pass through it: pixels come from PIL here in any case. A stand-in keeps its place.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evalsuite.errors import SampleError

VIDEO = "video_processor"
_FILES = (("video_preprocessor_config.json", ""), ("processor_config.json", VIDEO),
          ("preprocessor_config.json", ""))  # fmt: skip
_DEFAULTS: dict[str, Any] = {
    "temporal_patch_size": 2, "merge_size": 2, "patch_size": 14, "num_frames": 64, "fps": 1, "font": "",
}  # fmt: skip
"""What processors read of a video processor without a video, where a checkpoint does not say."""
_lock = threading.Lock()


def no_videos(settings: Mapping[str, Any] | None = None) -> Any:
    """What stands in the place of a video processor: it has its settings, and refuses videos.

    Args:
        settings: of the checkpoint's video processor.
    """
    return _kind()({**_DEFAULTS, **(settings or {})})


@cache
def _kind() -> Any:
    from transformers.utils import PushToHubMixin  # type: ignore[attr-defined]

    base: Any = PushToHubMixin  # what a processor writes out and prints with it

    class NoVideos(base):  # type: ignore[misc]
        model_input_names: tuple[str, ...] = ()
        _auto_class = None

        def __init__(self, settings: dict[str, Any]) -> None:
            self._settings = settings

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or name not in self._settings:
                raise AttributeError(name)
            return self._settings[name]

        def __call__(self, *videos: Any, **more: Any) -> Any:
            raise SampleError("Videos need torchvision.", "Install the build that fits your torch.")

        def to_dict(self) -> dict[str, Any]:
            return dict(self._settings)

    return NoVideos


def needed() -> bool:
    """Whether torchvision is missing."""
    return find_spec("torchvision") is None


@contextmanager
def without_videos() -> Iterator[None]:
    """Inside, processors are built and loaded with `no_videos` where torchvision is missing.

    The library has no way to ask for that, so two of its methods are replaced meanwhile: the one that loads
    video processors, and the one that checks a processor's parts.
    """
    if not needed():
        yield
        return
    from transformers.processing_utils import ProcessorMixin

    # the package itself shows a placeholder in its place
    auto: Any = import_module("transformers.models.auto.video_processing_auto").AutoVideoProcessor
    mixin: Any = ProcessorMixin
    with _lock:
        load, check = auto.__dict__["from_pretrained"], mixin.check_argument_for_proper_class

        def checked(self: Any, name: str, part: Any) -> Any:
            return _kind() if isinstance(part, _kind()) else check(self, name, part)

        auto.from_pretrained = classmethod(
            lambda kind, source, **more: no_videos(_settings(str(source), more))
        )
        mixin.check_argument_for_proper_class = checked
        try:
            yield
        finally:
            auto.from_pretrained = load
            mixin.check_argument_for_proper_class = check


def _settings(source: str, more: dict[str, Any]) -> dict[str, Any]:
    """The video processor's settings among a checkpoint's files; empty where there are none."""
    from transformers.utils import cached_file  # type: ignore[attr-defined]

    for name, key in _FILES:
        found = cached_file(
            source, name, revision=more.get("revision"), _raise_exceptions_for_missing_entries=False
        )
        if found is None:
            continue
        values = json.loads(Path(found).read_text(encoding="utf-8"))
        values = values.get(key) if key else values
        if isinstance(values, dict):
            return values
    return {}
