"""Per-sample results of a run as a dataset: a Parquet file per task, and a card."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import DataError
from evalsuite.notebook.sample import SampleView, views
from evalsuite.registry import Registry
from evalsuite.store import RunReader

_BLOCK = 20_000
"""Samples that are looked up together: each block walks through the benchmark's data once."""
_ROWS = 200
"""Samples of a row group: the images of so many are in memory at a time."""


def write_samples(
    run: RunReader, folder: Path, *, prompts: bool, images: bool, registry: Registry | None
) -> dict[str, int]:
    """Writes `FOLDER/TASK.parquet` for each task.

    Args:
        prompts: also what was asked and what was expected; benchmarks' licences may not allow it.
        images: also the generated images, as the hub's image feature.

    Returns:
        Number of samples by file name.
    """
    import pyarrow
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, int] = {}
    for record in run.manifest.tasks:
        name = re.sub(r"[^\w.-]+", "-", record.key).strip(".-") or "task"
        with_images = images and record.info.generates_images
        schema = _schema(pyarrow, prompts, with_images)
        ids = sorted({one.sample for one in run.records(record.key)})
        with pyarrow.parquet.ParquetWriter(folder / f"{name}.parquet", schema) as writer:
            for start in range(0, len(ids), _BLOCK):
                block = ids[start : start + _BLOCK]
                rows = _rows(run, record.key, block, prompts, with_images, registry)
                while group := list(itertools.islice(rows, _ROWS)):
                    writer.write_table(pyarrow.Table.from_pylist(group, schema))
        written[name] = len(ids)
    return written


def _rows(
    run: RunReader, key: str, ids: list[str], prompts: bool, images: bool, registry: Registry | None
) -> Iterator[dict[str, Any]]:
    for view in views(run, key, ids, registry):
        row: dict[str, Any] = {
            "id": view.id,
            "answer": _safe(view.said),
            "parsed": _safe(view.parsed),
            "failure": _safe(view.failure or next((t.error for t in view.turns if t.error), "")),
            "scores": json.dumps(dict(view.scores), sort_keys=True),
            "labels": json.dumps(dict(view.labels), sort_keys=True),
        }
        if prompts:
            row |= {"prompt": _safe(view.prompt), "reference": _safe(view.expected)}
        if images:
            found = (_image(view, i, image) for i, image in enumerate(view.drawn))
            row["images"] = [one for one in found if one is not None]
        yield row


def _image(view: SampleView, i: int, image: Image) -> dict[str, Any] | None:
    """None for a file that is no image: the hub's viewer would show none of the table."""
    try:
        decode(image)
    except DataError:
        return None
    return {"bytes": image.read(), "path": f"{re.sub(r'[^0-9A-Za-z._-]+', '-', view.id)}-{i}.png"}


def _safe(text: str) -> str:
    """What a model said may hold halves of characters, which no file of text can."""
    return text.encode("utf-8", "backslashreplace").decode()


def _schema(pyarrow: Any, prompts: bool, images: bool) -> Any:
    names = ["id", "answer", "parsed", "failure", "scores", "labels"]
    names += ["prompt", "reference"] if prompts else []
    fields = [pyarrow.field(name, pyarrow.string()) for name in names]
    features: dict[str, Any] = {name: {"dtype": "string", "_type": "Value"} for name in names}
    if images:
        struct = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        fields.append(pyarrow.field("images", pyarrow.list_(struct)))
        features["images"] = {"feature": {"_type": "Image"}, "_type": "List"}
    told = json.dumps({"info": {"features": features}})
    return pyarrow.schema(fields, metadata={"huggingface": told})


def dataset_card(run: RunReader, repo: str, files: dict[str, int], *, prompts: bool) -> str:
    """The dataset's README: a configuration per task, and where the rows come from."""
    from huggingface_hub import DatasetCard, DatasetCardData

    configs = [
        {"config_name": name, "data_files": [{"split": "samples", "path": f"data/{name}.parquet"}]}
        for name in files
    ]
    data = DatasetCardData(configs=configs, tags=["evalsuite", "evaluation-results"])
    lines = [
        f"# {repo.rpartition('/')[2]}",
        "",
        f"Per-sample results of `{run.model_name}`, measured with evalsuite {run.manifest.evalsuite}.",
        "",
        "| configuration | samples | protocol | rules | data |",
        "|---|---:|---|---|---|",
        *(
            f"| {name} | {files[name]:,} | {record.info.protocol} | {record.info.rules} | "
            f"{record.data_fingerprint[:16]} |"
            for name, record in zip(files, run.manifest.tasks, strict=True)
        ),
        "",
        "Columns: `id` (the benchmark's), `answer`, `parsed` (what the scorer understood), `failure` (why "
        "there is no score), `scores` and `labels` (JSON)"
        + (", `prompt`, `reference`." if prompts else ". Prompts and references are the benchmark's own."),
    ]
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n" + "\n".join(lines) + "\n"))
