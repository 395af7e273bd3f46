"""Small data sets in the official layouts of judged benchmarks, and a run over them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image as pil

from evalsuite.registry import load_registry
from evalsuite.running import RunOutcome, run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from tests.data.image_files import encoded
from tests.tasks.asking import write_json

PLUGIN = Path(__file__).parent / "answering.py"


def mmvet(root: Path, count: int) -> Path:
    """MM-Vet's folder with `count` questions."""
    (root / "images").mkdir(parents=True)
    (root / "images" / "one.png").write_bytes(encoded("PNG"))
    questions = {
        f"v1_{i}": {
            "imagename": "one.png", "question": f"What is x in equation {i}?", "answer": "-1<AND>-5",
            "capability": ["ocr", "math"] if i % 2 else ["rec"], "imagesource": "web",
        }
        for i in range(count)
    }  # fmt: skip
    write_json(root / "mm-vet.json", questions)
    return root


def answered(root: Path, out: Path, count: int = 6) -> RunOutcome:
    """A run of the answering model over MM-Vet's layout, not judged yet."""
    spec = RunSpec(
        model=ModelSpec(name="answering"),
        tasks=(TaskSpec(name="mm-vet", data=mmvet(root, count)),),
        plugins=(PLUGIN,),
    )
    return run(spec, out, registry=load_registry(spec.plugins))


def picture(width: int = 40, height: int = 24, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    pil.new("RGB", (width, height), (200, 30, 30)).save(stream, kind, **options)
    return stream.getvalue()


def gedit_row(
    key: str, kind: str, instruction: str = "make it red", language: str = "en", common: bool = True
) -> dict[str, Any]:
    return {
        "key": key, "task_type": kind, "instruction": instruction, "instruction_language": language,
        "input_image": {"bytes": picture(), "path": None}, "Intersection_exist": common,
        "input_image_raw": {"bytes": picture(80, 48), "path": None},
    }  # fmt: skip


def gedit(root: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """GEdit-Bench as the hub's library stores it: an Arrow stream."""
    root.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(list(rows))
    with (
        pa.OSFile(str(root / "data-00000-of-00001.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as stream,
    ):
        stream.write_table(table)
    return root
