"""A task over rows that the library `datasets` reads: of the hub, streamed, saved on disk, made in memory."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.cache import cache_folder
from evalsuite.data.yamlfile import validated
from evalsuite.errors import DataError, SpecError, text_of
from evalsuite.task.benchmark import entry_of
from evalsuite.task.entry import TaskEntry
from evalsuite.task.reading import Reader
from evalsuite.task.rules import Rule
from evalsuite.task.schema import Benchmark

if TYPE_CHECKING:
    import datasets
    import pyarrow

_FILE = "table.parquet"
_ROWS = 100
"""Rows of a row group, as the hub writes tables with images."""


def from_dataset(
    dataset: datasets.Dataset | datasets.IterableDataset,
    benchmark: Mapping[str, Any],
    *,
    folder: Path | str | None = None,
    rules: Iterable[Rule] = (),
    readers: Iterable[Reader] = (),
) -> TaskEntry:
    """A task whose rows are those of a dataset.

    Its rows are stored once as a Parquet file, images included, which workers and later sessions read as any
    other table; the task's fingerprint is that of the rows.

        def tasks():
            rows = datasets.load_dataset("lmms-lab/ai2d", split="test", streaming=True).take(500)
            return [from_dataset(rows, yaml.safe_load(Path("my-diagrams.yaml").read_text()))]

    Args:
        dataset: one split: of `load_dataset` (streamed too), `load_from_disk`, `from_list` …
        benchmark: what a benchmark's YAML file says. Of `sources` there is one, with `reader`, and `columns`
            and `settings` where the reader wants them; the role `table` is added to its files.
        folder: where rows are stored; evalsuite's cache by default.
        rules, readers: as for `entries`.

    Raises:
        SpecError: `datasets` gave something else than a split, or the benchmark is malformed.
        DataError: a row cannot be read or stored.
    """
    given = {**benchmark}
    sources = given.get("sources")
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], Mapping):
        raise SpecError(
            "A benchmark over a dataset names one source.",
            "Write sources: [{reader: mcq-table, columns: {…}, settings: {…}}].",
        )
    columns = getattr(dataset, "column_names", None)
    if not hasattr(dataset, "with_format") or isinstance(columns, Mapping):
        splits = f" ({', '.join(map(str, dataset))})" if isinstance(dataset, Mapping) else ""
        raise SpecError(f"{type(dataset).__name__} is not one split of a dataset{splits}.", "Choose a split.")
    name = re.sub(r"[^\w.-]+", "-", str(given.get("name", "dataset"))).strip(".-") or "dataset"
    place = _stored(dataset, Path(folder) if folder is not None else cache_folder() / "datasets", name)
    source = {key: value for key, value in sources[0].items() if key not in ("hub", "place")}
    given["sources"] = [
        {**source, "files": {**source.get("files", {}), "table": _FILE}, "place": f"folder:{place}"}
    ]
    made = validated(place / f"{name}.yaml", given, Benchmark)
    return entry_of(made, place, rules, readers)


def _stored(dataset: Any, root: Path, name: str) -> Path:
    """The folder with the rows; written where they are not there yet."""
    import pyarrow.parquet

    root.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
    try:
        writer = None
        try:
            for table in _tables(dataset):
                writer = writer or pyarrow.parquet.ParquetWriter(temporary / _FILE, table.schema)
                writer.write_table(table.cast(writer.schema))
        except Exception as error:  # whatever the library, its file systems and its decoders raise
            raise DataError(f"The rows of {name} cannot be stored: {text_of(error)}", "") from error
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise DataError(f"The dataset of {name} has no rows.", "Check its split and filters.")
        with (temporary / _FILE).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        place = root.absolute() / f"{name}-{digest}"
        if not (place / _FILE).is_file():
            place.mkdir(exist_ok=True)
            (temporary / _FILE).replace(place / _FILE)
        return place
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _tables(dataset: Any) -> Iterator[pyarrow.Table]:
    from datasets.table import embed_table_storage

    for table in dataset.with_format("arrow").iter(batch_size=_ROWS):
        yield embed_table_storage(table)
