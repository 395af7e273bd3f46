"""Many workers on simulated devices: throughput against one worker, and what a sample costs the driver.

A device takes `--seconds` per batch of `--batch` and leaves the processor free, so that two cores can play
many. Throughput is counted from the first answer on disk to the last, so that starting the workers is left
out (it is printed by itself). The driver's cost is its own process's CPU time between those moments.

    python benchmarks/scale.py [--workers 1 2 4 8] [--samples 3200] [--no-bytes] [--json FILE]
    python benchmarks/scale.py --local         # one process without Ray, and its first answer
    python benchmarks/scale.py --images 512    # saving generated images, against a bare write and fsync
    python benchmarks/scale.py --alone 64      # the driver's own part: 64 workers that answer at once, no Ray

Memory is the peak of the driver's anonymous pages.
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


def _peak_mib() -> float:
    """The most that this process has held, files that are mapped aside."""
    return max(_WATCHED)


_WATCHED = [0.0]


def _watch_memory() -> None:
    import threading

    def look() -> None:
        while True:
            _WATCHED[0] = max(_WATCHED[0], _anonymous_mib())
            time.sleep(0.25)

    threading.Thread(target=look, daemon=True).start()


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


def _note_first_worker() -> list[float]:
    """A list that gets the moments at which workers were taken on."""
    from evalsuite.engine.ledger import Ledger

    moments: list[float] = []
    join = Ledger.join

    def noted(ledger: Ledger, worker: int, node: str) -> bool:
        moments.append(time.perf_counter())
        return join(ledger, worker, node)

    Ledger.join = noted  # type: ignore[method-assign, assignment]
    return moments


def _anonymous_mib() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _measure(
    workers: int | None, image: Path, options: argparse.Namespace, *, as_bytes: bool
) -> dict[str, Any]:
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
    _watch_memory()
    ready = _note_first_worker()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        how = ExecutionOptions(batch_size=options.batch, workers=workers or None, cpus_per_worker=0.1)
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
        "seconds_from_first_worker_to_first_answer": watch.first[0] - ready[0],
        "driver_anonymous_mib": _peak_mib(),
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


def _alone(workers: int, samples: int, batch: int) -> dict[str, float]:
    """The driver with played workers that answer at once: leases, ledger, saving, and nothing of Ray."""
    from played_pool import drive_text

    started, cpu = time.perf_counter(), _cpu()
    _watch_memory()
    drive_text(workers, samples, batch)
    return {
        "driver_ms_per_sample": 1000 * (_cpu() - cpu) / samples,
        "samples_per_second": samples / (time.perf_counter() - started),
        "anonymous_mib": _peak_mib(),
    }


def _images(count: int, batch: int, size: int = 517 * 1024) -> dict[str, float]:
    """Images of 517 KiB through the driver into shards, in turns with a bare loop over the same batches."""
    from played_pool import drive_images, write_bare

    with tempfile.TemporaryDirectory() as folder:
        bare, driven, bare_cpu, cpu = [], [], [], []
        for turn in range(3):
            before = _cpu()
            bare.append(write_bare(Path(folder) / f"bare-{turn}", count, batch, size))
            between = _cpu()
            driven.append(drive_images(Path(folder) / f"run-{turn}", count, batch, size))
            bare_cpu.append(between - before)
            cpu.append(_cpu() - between)
    return {
        "bare_images_per_second": count / min(bare),
        "images_per_second": count / min(driven),
        "ratio": min(bare) / min(driven),
        "bare_cpu_ms_per_image": 1000 * min(bare_cpu) / count,
        "cpu_ms_per_image": 1000 * min(cpu) / count,
    }


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
    parser.add_argument("--no-bytes", action="store_true")
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--images", type=int)
    parser.add_argument("--alone", type=int)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bytes", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--image", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(_measure(options.one, options.image, options, as_bytes=options.bytes)))
        return
    if options.images or options.alone:
        if options.images:
            print(json.dumps(_images(options.images, options.batch)))
        if options.alone:
            print(json.dumps(_alone(options.alone, options.samples, options.batch)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "photo.jpg"
        _photo(image)
        ideal = options.batch / options.seconds
        print(f"{image.stat().st_size / 1024:.0f} KiB an image, ideal {ideal:.0f}/s a worker")
        base = 0.0
        counts = [0] if options.local else options.workers
        cases = [(False, n) for n in counts] + ([] if options.no_bytes else [(True, max(counts))])
        for as_bytes, workers in cases:
            row = _child(workers, as_bytes, image, options)
            base = base or row["samples_per_second"] / max(1, workers)
            row["efficiency"] = row["samples_per_second"] / (max(1, workers) * base)
            rows.append(row)
            print(
                f"N={workers} {row['as']}: {row['samples_per_second']:.1f}/s = "
                f"{100 * row['efficiency']:.0f} % of {workers} x one; driver "
                f"{row['driver_ms_per_sample']:.3f} CPU ms a sample, {row['driver_anonymous_mib']:.0f} MiB; "
                f"first answer after {row['seconds_to_first_answer']:.1f} s, "
                f"{row['seconds_from_first_worker_to_first_answer']:.2f} s after the first worker",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
