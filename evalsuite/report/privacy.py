"""A report is made to be shown: it names files, not the folders of the machine that they lie in."""

from __future__ import annotations

import re

_FOLDERS = re.compile(r"(?<![\w./])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"]+[/\\])+")


def without_folders(text: str) -> str:
    """The text with the folders of absolute paths left out.

    >>> without_folders("dreamllm:/home/me/models/stage3 from https://example.org/a/b")
    'dreamllm:…/stage3 from https://example.org/a/b'
    """
    return _FOLDERS.sub("…/", text)
