"""Lists of prompts as they are published: tables with a column of prompts, Localized Narratives."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalsuite.data.coco import Captioned, find_image
from evalsuite.data.jsonfile import field, read_lines
from evalsuite.errors import DataError

_DELIMITERS = {".tsv": "\t", ".csv": ","}


@dataclass(frozen=True, slots=True)
class ListedPrompt:
    """A prompt of a table.

    Args:
        number: its row, from 1, without the header.
        text: without white space around it.
        labels: further columns, for breakdowns; empty cells are left out.
    """

    number: int
    text: str
    labels: Mapping[str, str]


def read_prompt_table(path: Path, columns: Mapping[str, str]) -> Iterator[ListedPrompt]:
    """The prompts of a CSV or TSV file with a header (DrawBench, PartiPrompts), in its order.

    Args:
        path: UTF-8, cells quoted where they need it; the suffix gives the delimiter.
        columns: `prompt` -> name of its column; every other entry becomes a label.

    Raises:
        DataError: missing file, wrong encoding, missing column, a row with too few or too many cells, an
            empty prompt, no prompts.
    """
    wanted = {"prompt": "Prompt", **columns}
    count = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter=_DELIMITERS.get(path.suffix.lower(), ","), strict=True)
            header = reader.fieldnames or []
            for name in wanted.values():
                if name not in header:
                    raise DataError(
                        f"{path} has no column {name!r} (it has {', '.join(map(str, header)) or 'none'}).",
                        "Is it the published file?",
                    )
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise DataError(f"{where}: too many or too few cells.", "Fetch the file again.")
                count += 1
                text = row[wanted["prompt"]].strip()
                if not text:
                    raise DataError(f"{where}: the prompt is empty.", "Fetch the file again.")
                labels = {ours: row[name].strip() for ours, name in wanted.items() if ours != "prompt"}
                yield ListedPrompt(count, text, {ours: value for ours, value in labels.items() if value})
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error.reason}).", "Fetch the file again.") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a table ({error}).", "Fetch the file again.") from error
    if not count:
        raise DataError(f"{path} holds no prompts.", "Fetch the file again.")


def read_narratives(path: Path, images: Path) -> Iterator[Captioned]:
    """Images with their narratives in the order of their first one
    (`coco_val_localized_narratives.jsonl`).

    Args:
        path: JSON lines with `image_id` and `caption`; traces and recordings are not read.
        images: folder of the images, `000000137576.jpg` for image id 137576.

    Raises DataError for a malformed line, an empty narrative, or a file without any.
    """
    found: dict[str, list[str]] = {}
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        image_id = str(field(row, "image_id", (int, str), where))
        caption = field(row, "caption", str, where)
        if not caption.strip():
            raise DataError(f"{where}: the narrative is empty.", "Fetch the file again.")
        found.setdefault(image_id, []).append(caption)
    if not found:
        raise DataError(f"{path} holds no narratives.", "Fetch it again.")
    for image_id, captions in found.items():
        yield Captioned(image_id, find_image((images,), f"{image_id.zfill(12)}.jpg"), tuple(captions))
