"""What the harness itself costs: CPU seconds and memory around a model that answers at once.

VQAv2-schema parquet with 640x480 JPEGs (quality 90, about 100 KiB), the real `vqav2` benchmark and its
official scorer with intervals, 500 / 2,000 / 8,000 samples, cold (a new run) and resumed (all answered: data
checked, re-scored), each in a fresh process. A bare PIL decode loop over the same bytes is the floor.

    python benchmarks/overhead.py [--counts 500 2000 8000] [--folder FOLDER] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
QUESTIONS = ("Is there a dog?", "How many people are there?", "What colour is the car?")
PICTURES = 97


def make_data(folder: Path, count: int) -> Path:
    """A folder as the hub data set has it: one parquet file in `data/`, with `count` questions."""
    import io

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    target = folder / str(count) / "data" / "validation-00000-of-00001.parquet"
    if target.exists():
        return folder / str(count)
    target.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(PICTURES):
        # Smooth shapes with grain: what a photograph of this size and quality weighs.
        coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((640, 480), 3)
        grain = rng.normal(0, 8.5, (480, 640, 3))
        out = io.BytesIO()
        Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)).save(
            out, "JPEG", quality=90
        )
        pictures.append(out.getvalue())
    schema = pa.schema(
        {
            "question_id": pa.int64(),
            "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            "image_id": pa.int64(),
            "question": pa.string(),
            "answers": pa.list_(
                pa.struct({"answer": pa.string(), "answer_confidence": pa.string(), "answer_id": pa.int64()})
            ),
            "question_type": pa.string(),
            "answer_type": pa.string(),
        }
    )
    partial = target.with_suffix(".partial")
    with pq.ParquetWriter(partial, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, count, 100):
            rows = [_row(i, pictures[i % PICTURES]) for i in range(start, min(start + 100, count))]
            writer.write_table(pa.Table.from_pylist(rows, schema))
    partial.rename(target)
    return folder / str(count)


def _row(i: int, picture: bytes) -> dict[str, Any]:
    answers = ["yes" if (i + j) % 3 else "no" for j in range(10)]
    return {
        "question_id": i,
        "image": {"bytes": picture, "path": f"COCO_val2014_{i // 3:012d}.jpg"},
        "image_id": i // 3,
        "question": QUESTIONS[i % 3],
        "answers": [
            {"answer": answer, "answer_confidence": "yes", "answer_id": j + 1}
            for j, answer in enumerate(answers)
        ],
        "question_type": "is there",
        "answer_type": ("yes/no", "number", "other")[i % 3],
    }


class _FirstSample:
    """Notes the CPU seconds of this process and its children when the first batch is on disk."""

    def __init__(self) -> None:
        self.cpu: float | None = None

    def on_stage(self, text: str) -> None: ...

    def on_start(self, total: int, done: int) -> None: ...

    def on_batch(self, done: int, failed: int, task: str) -> None:
        if self.cpu is None:
            self.cpu = _cpu()

    def on_note(self, task: str, text: str) -> None: ...

    def on_end(self) -> None: ...


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def child_run(data: Path, out: Path) -> dict[str, Any]:
    """One run in this process."""
    from evalsuite.registry import load_registry
    from evalsuite.running import run
    from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec

    plugin = HERE / "instant_plugin.py"
    spec = RunSpec(
        model=ModelSpec(name="instant"), tasks=(TaskSpec(name="vqav2", data=data),), plugins=(plugin,)
    )
    first = _FirstSample()
    outcome = run(spec, out, ExecutionOptions(), load_registry([plugin]), first)
    assert outcome.exit_code == 0
    return {
        "cpu": _cpu(),
        "first": first.cpu,
        "torch": "torch" in sys.modules,
        "value": outcome.results[0].headline().value,
    }


def child_decode(data: Path) -> dict[str, Any]:
    """CPU seconds of decoding every image, and nothing else, in this process."""
    import io

    import pyarrow.parquet as pq
    from PIL import Image

    [file] = (data / "data").glob("*.parquet")
    seconds = 0.0
    for batch in pq.ParquetFile(file).iter_batches(batch_size=16, columns=["image"]):
        for image in batch.column(0).field("bytes").to_pylist():
            started = time.process_time()
            Image.open(io.BytesIO(image)).convert("RGB")
            seconds += time.process_time() - started
    return {"cpu": seconds}


def measure(*arguments: str) -> dict[str, Any]:
    """Runs a child of this file and watches the anonymous part of its proportional set size."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), *arguments], stdout=subprocess.PIPE, env=environment
    )
    peak = 0
    while child.poll() is None:
        peak = max(peak, _anonymous_kib(child.pid))
        time.sleep(0.25)
    assert child.stdout is not None
    text = child.stdout.read()
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return {**json.loads(text), "anonymous_mib": round(peak / 1024, 1)}


def _anonymous_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument(
        "--folder", type=Path, help="where data are made and kept; default: a temporary folder"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--child", choices=("run", "decode"), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        found = child_run(options.data, options.out) if options.child == "run" else child_decode(options.data)
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as temporary:
        rows = table(options.folder or Path(temporary), Path(temporary) / "runs", options.counts)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def table(folder: Path, runs: Path, counts: list[int]) -> list[dict[str, Any]]:
    """Measures and prints one row per count and state."""
    rows: list[dict[str, Any]] = []
    print("samples  state     CPU s  first s  ms/sample  decode ms  over decode ms  anonymous MiB  run MiB")
    for count in counts:
        data = make_data(folder, count)
        out = runs / str(count)
        floor = measure("--child", "decode", "--data", str(data))["cpu"]
        for state in ("cold", "resumed"):
            found = measure("--child", "run", "--data", str(data), "--out", str(out))
            size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 2**20
            rows.append(
                {"samples": count, "state": state, **found, "decode_cpu": floor, "run_mib": round(size, 2)}
            )
            print(_line(rows[-1]), flush=True)
    cold = [row for row in rows if row["state"] == "cold"]
    if len(cold) > 1:
        least, most = cold[0], cold[-1]
        slope = (most["cpu"] - least["cpu"]) / (most["samples"] - least["samples"]) * 1000
        decode = (most["decode_cpu"] - least["decode_cpu"]) / (most["samples"] - least["samples"]) * 1000
        fixed = least["cpu"] - slope * least["samples"] / 1000
        growth = most["anonymous_mib"] - least["anonymous_mib"]
        print(
            f"\ncold slope {slope:.3f} ms/sample, of it decode {decode:.3f} (ratio {slope / decode:.2f}), "
            f"over decode {slope - decode:.3f}, fixed {fixed:.2f} CPU s, "
            f"memory grows {growth:+.1f} MiB, torch imported: {any(row['torch'] for row in rows)}"
        )
    return rows


def _line(row: dict[str, Any]) -> str:
    """Milliseconds per sample from the first sample on; a resumed run asks nothing, so it has no first."""
    count, first = row["samples"], row["first"]
    decode = row["decode_cpu"] / count * 1000
    start, each, over = "-", "-", "-"
    if first is not None:
        spent = (row["cpu"] - first) / count * 1000
        start, each, over = f"{first:.2f}", f"{spent:.3f}", f"{spent - decode:.3f}"
    return (
        f"{count:7,}  {row['state']:7s} {row['cpu']:7.2f} {start:>8s} {each:>10s} {decode:10.3f} {over:>15s} "
        f"{row['anonymous_mib']:14.1f} {row['run_mib']:8.2f}"
    )


if __name__ == "__main__":
    main()
