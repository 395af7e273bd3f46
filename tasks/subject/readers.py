"""Subjects with their prompts, from DreamBench's folder."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from evalsuite.task import Located
from evalsuite.task.readers import Subject, dreambooth


def read_folder(source: Located) -> Iterator[tuple[Subject, tuple[str, ...]]]:
    """google/dreambooth's `dataset`: `prompts` (prompts_and_classes.txt), the folder `images`, and the
    classes of live subjects in `settings.live`; each subject with its prompts."""
    found = dreambooth.read_prompts_and_classes(source.path("prompts"))
    live = source.settings.get("live", ())
    for subject in dreambooth.read_subjects(found, source.folder_of("images"), live):
        yield subject, found.prompts[subject.kind]


READERS = MappingProxyType({"dreambooth-folder": read_folder})
