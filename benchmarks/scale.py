"""Many workers on simulated devices: throughput against one worker, and what a sample costs the driver.

A device takes `--seconds` per batch of `--batch` and leaves the processor free, so that two cores can play
many. Throughput is counted from the first answer on disk to the last, so that starting the workers is left
out (it is printed by itself). The driver's cost is its own process's CPU time between those moments.

    python benchmarks/scale.py [--workers 1 2 4 8] [--samples 3200] [--json FILE]
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

PLUGIN = Path(__file__).resolve().parent / "sleeping_plugin.py"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _Watch:
    """Notes when the first and the last batch were on disk, and the driver's CPU seconds then."""

    def __init__(self) -> None:
        self.first: tuple[float, float] | None = None
        self.last = (0.0, 0.0)
        self.before = 0
        self.done = 0

    def on_stage(self, text: str) -> None: ...

    def on_start(self, total: int, done: int) -> None: ...

    def on_batch(self, done: int, failed: int, task: str) -> None:
        self.last = (time.perf_counter(), _cpu())
        self.done += done
        if self.first is None:
            self.first = self.last
            self.before = self.done

    def on_note(self, task: str, text: str) -> None: ...

    def on_end(self) -> None: ...


def _anonymous_mib() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _measure(workers: int, image: Path, options: argparse.Namespace, *, as_bytes: bool) -> dict[str, Any]:
    from evalsuite.registry import load_registry
    from evalsuite.running import run
    from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec

    task = {"count": str(options.samples), "image": str(image), "bytes": "yes" if as_bytes else "no"}
    spec = RunSpec(
        model=ModelSpec(name="sleeping", options={"seconds": str(options.seconds)}),
        tasks=(TaskSpec(name="many", options=task),),
        plugins=(PLUGIN,),
    )
    watch = _Watch()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        how = ExecutionOptions(batch_size=options.batch, workers=workers, cpus_per_worker=0.1)
        run(spec, Path(folder) / "run", how, load_registry(spec.plugins), watch)
    assert watch.first is not None
    wall = watch.last[0] - watch.first[0]
    counted = watch.done - watch.before
    return {
        "workers": workers,
        "as": "bytes" if as_bytes else "files",
        "samples": watch.done,
        "samples_per_second": counted / wall,
        "driver_ms_per_sample": 1000 * (watch.last[1] - watch.first[1]) / counted,
        "seconds_to_first_answer": watch.first[0] - started,
        "driver_anonymous_mib": _anonymous_mib(),
    }


def _child(workers: int, as_bytes: bool, image: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One measurement in a process of its own, so that memory and Ray start from nothing."""
    command = [
        sys.executable, __file__, "--one", str(workers), "--image", str(image),
        "--samples", str(options.samples), "--batch", str(options.batch), "--seconds", str(options.seconds),
        *(["--bytes"] if as_bytes else []),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _photo(path: Path) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((640, 480), 3)
    grain = rng.normal(0, 8.5, (480, 640, 3))
    Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)).save(
        path, "JPEG", quality=90
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--samples", type=int, default=3200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bytes", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--image", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(_measure(options.one, options.image, options, as_bytes=options.bytes)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "photo.jpg"
        _photo(image)
        ideal = options.batch / options.seconds
        print(f"{image.stat().st_size / 1024:.0f} KiB an image, ideal {ideal:.0f}/s a worker")
        base = 0.0
        for as_bytes, workers in [*((False, n) for n in options.workers), (True, max(options.workers))]:
            row = _child(workers, as_bytes, image, options)
            base = base or row["samples_per_second"] / workers
            row["efficiency"] = row["samples_per_second"] / (workers * base)
            rows.append(row)
            print(
                f"N={workers} {row['as']}: {row['samples_per_second']:.1f}/s = "
                f"{100 * row['efficiency']:.0f} % of {workers} x one; driver "
                f"{row['driver_ms_per_sample']:.3f} CPU ms a sample, {row['driver_anonymous_mib']:.0f} MiB; "
                f"first answer after {row['seconds_to_first_answer']:.1f} s",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
