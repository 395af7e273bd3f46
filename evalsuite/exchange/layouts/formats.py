"""The layouts by name, each as its benchmark's official scorer reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from evalsuite.errors import SpecError
from evalsuite.exchange.layouts.grids import as_png
from evalsuite.exchange.layouts.layout import Item, Layout

_NAME_LENGTH = 255
"""Bytes of a file's name on most file systems."""


def _by_id(item: Item, number: int) -> str:
    return item.sample.id


def _geneval(item: Item, number: int) -> str:
    return f"{int(item.record('number')):05}/samples/{number:05}"


def _geneval_metadata(item: Item) -> dict[str, bytes]:
    line = json.dumps(dict(item.record("metadata")), ensure_ascii=False)
    return {f"{int(item.record('number')):05}/metadata.jsonl": f"{line}\n".encode()}


def _compbench(item: Item, number: int) -> str:
    # Numbers go on over all prompts: the scorers sort by them, and 3_in_1.py takes each ten as a prompt's.
    name = f"{item.prompt}_{item.number * item.count + number:06}"
    if "/" in item.prompt or "_" in item.prompt or len(name.encode()) + len(".png") > _NAME_LENGTH:
        raise SpecError(
            f"The prompt of sample {item.sample.id!r} cannot be a file's name.",
            "T2I-CompBench's scorers read prompts from the names of files, up to the first underscore.",
        )
    return f"samples/{name}"


def _oneig(item: Item, number: int) -> str:
    name = item.sample.id.rpartition("/")[2]
    return f"images/{item.sample.labels.get('set', 'text')}/{item.model}/{name}"


def _unigenbench(item: Item, number: int) -> str:
    return f"{item.sample.id}_{number}"


def _genai(item: Item, number: int) -> str:
    return f"{item.model}/{item.sample.id}"


def _hpsv2(item: Item, number: int) -> str:
    return f"{item.label('style')}/{item.sample.id.rpartition('/')[2]}"


def _mjhq(item: Item, number: int) -> str:
    reference = item.record("reference")
    folder = reference.path.parent.name if reference.path is not None else ""
    if not folder:
        raise SpecError("The format mjhq needs MJHQ-30K's images in folders of categories.")
    return f"{folder}/{item.sample.id}"


def _gedit(item: Item, number: int) -> str:
    return f"fullset/{item.record('kind')}/{item.language}/{item.sample.id}"


def _gedit_source(item: Item) -> dict[str, bytes]:
    return {f"{_gedit(item, 0)}_SRCIMG.png": as_png(item.record("source"))}


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            # compute_dpg_bench.py opens every file of the folder as an image: nothing else may lie there.
            Layout("dpg", _by_id, re.compile(r"([^/]+)"), grid=True),
            Layout(
                "geneval",
                _geneval,
                re.compile(r"(?:.*/)?(\d+)/samples/(\d+)"),
                ignored=re.compile(r"(?:.*/)?\d+/grid"),
                beside=_geneval_metadata,
            ),
            Layout("t2i-compbench", _compbench, re.compile(r"(?:.*/)?([^/]+)_(\d+)"), counted=1),
            Layout("wise", _by_id, re.compile(r"([^/]+)")),
            Layout(
                "oneig",
                _oneig,
                re.compile(r"(?:images/)?([^/]+)/(?:[^/]+/)?([^/]+)"),
                suffix=".webp",
                grid=True,
                black=True,
            ),
            Layout("unigenbench", _unigenbench, re.compile(r"([^/]+)_(\d+)")),
            Layout("genai", _genai, re.compile(r"(?:[^/]+/)?([^/]+)"), suffix=".jpeg"),
            # evaluate_benchmark takes every folder for a style; PIL opens a PNG whatever its ending.
            Layout("hpsv2", _hpsv2, re.compile(r"(?:.*/)?([^/]+)/([^/]+)"), suffix=".jpg"),
            Layout("mjhq", _mjhq, re.compile(r"(?:[^/]+/)?([^/]+)")),
            Layout(
                "gedit",
                _gedit,
                re.compile(r"(?:.*/)?fullset/([^/]+)/([^/]+)/([^/]+)"),
                ignored=re.compile(r".*_SRCIMG"),
                beside=_gedit_source,
                language=1,
            ),
            Layout("imgedit", _by_id, re.compile(r"([^/]+)"), ignored=re.compile(r".*_SRCIMG")),
        )
    }
)
"""Format -> layout."""
