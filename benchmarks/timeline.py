"""Does the device ever wait? Its share of a run in which it works, for a device that sleeps.

    python benchmarks/timeline.py [--before FOLDER]

A sleeping device takes no core, so that what keeps it waiting is the engine's doing: encoding images, saving
them, preparing requests. Cases: images of 512 x 512 pixels in batches of 8, with a step of 0.1 s and with one
like Stable Diffusion 2.1's (50 steps of 33 ms a batch); text in batches of 32 with 8 ms of preparation a
sample, which holds the interpreter for a quarter of that. `--before` measures another checkout the same way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CASES = {
    "images, batch 8, 0.1 s a batch": {
        "kind": "image", "batch": 8, "count": 64, "device": 0.1, "prepare": 0.0,
    },
    "images, batch 8, 50 steps of 33 ms": {
        "kind": "image", "batch": 8, "count": 240, "device": 1.65, "prepare": 0.0,
    },
    "text, batch 32, 8 ms a sample, 0.3 s a batch": {
        "kind": "text", "batch": 32, "count": 1920, "device": 0.3, "prepare": 0.008,
    },
}  # fmt: skip


def measure(case: dict[str, Any]) -> dict[str, float]:
    """Runs one case in this process."""
    import numpy as np
    from PIL import Image as pil

    from evalsuite.content import Image, user
    from evalsuite.engine import LocalExecutor, NullProgress, RequestLoop, TaskPlan, Worker
    from evalsuite.engine.sizing import FixedSize
    from evalsuite.model import ModelInfo, Prepared
    from evalsuite.request import GenerateImages, GenerateText, ImageResponse, Request, TextResponse
    from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
    from evalsuite.store import RunWriter, TaskRecord
    from evalsuite.task import Answered, Metric, Sample, Scores, TaskInfo

    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(512, 512, 3)), 0), 1)
    smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    shown = [
        pil.fromarray((smooth + rng.normal(size=smooth.shape) * 3).clip(0, 255).astype(np.uint8))
        for _ in range(8)
    ]

    class Questions:
        info = TaskInfo("t", "1", "text", "test", "plain", "official", (Metric("accuracy", headline=True),))

        def fingerprint(self) -> str:
            return "x"

        def samples(self) -> Iterator[Sample]:
            for i in range(case["count"]):
                yield Sample(str(i), None)

        def request(self, sample: Sample, earlier: Sequence[Any] = ()) -> Request | None:
            output = GenerateImages() if case["kind"] == "image" else GenerateText()
            return None if earlier else Request((user(sample.id),), output)

        def target(self, sample: Sample) -> str:
            return sample.id

        def score(self, answered: Sequence[Answered]) -> Scores:
            return Scores([], ())

    class Sleeper:
        info = ModelInfo("sleeper", "1", None, {"device": "cuda"})
        busy = 0.0

        def prepare(self, request: Request) -> Prepared:
            end = time.perf_counter() + case["prepare"] / 4
            time.sleep(case["prepare"] * 3 / 4)
            while time.perf_counter() < end:
                pass
            return Prepared(request, None)

        def _work(self) -> None:
            started = time.perf_counter()
            time.sleep(case["device"])
            Sleeper.busy += time.perf_counter() - started

        def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
            self._work()
            return [TextResponse("yes") for _ in batch]

        def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
            self._work()
            return [ImageResponse((handed_back(shown[i % 8].copy()),)) for i in range(len(batch))]

    def handed_back(image: Any) -> Image:
        try:
            from evalsuite.content import RawImage
        except ImportError:  # an earlier checkout: adapters encode
            import io

            stream = io.BytesIO()
            image.save(stream, "PNG")
            return Image(stream.getvalue())
        return RawImage(pixels=image)

    task = Questions()
    plan = TaskPlan("t", task, "x", None, case["count"], case["count"])
    options = ExecutionOptions(batch_size=case["batch"], self_check=False)
    spec = RunSpec(model=ModelSpec(name="sleeper"), tasks=(TaskSpec(name="t"),))
    record = TaskRecord(
        key="t", info=task.info, data_fingerprint="x", total=plan.total, available=plan.available
    )
    model = Sleeper()
    with (
        tempfile.TemporaryDirectory() as folder,
        RunWriter.open(Path(folder, "r"), spec, [record], options) as sink,
    ):
        executor = LocalExecutor(Worker(model, self_check=False), FixedSize(case["batch"]))
        started = time.perf_counter()
        try:
            from evalsuite.engine.driver import Driver
        except ImportError:  # an earlier checkout: one process had a loop of its own
            from evalsuite.engine import Source

            loop = RequestLoop(model, executor, sink, options, 0, NullProgress())  # type: ignore[arg-type]
            loop.ask(Source(plan, frozenset(), {}))  # type: ignore[attr-defined,arg-type]
        else:
            from evalsuite.engine.leases import cut
            from evalsuite.engine.ledger import Ledger
            from evalsuite.engine.local import LocalPool
            from evalsuite.engine.sizing import lease_size

            pool = LocalPool(RequestLoop(model, executor, options, 0), model.info, {"t": plan})
            ledger = Ledger(cut("t", task.samples(), lease_size(case["batch"])))
            Driver(pool, ledger, sink, NullProgress(), lambda info: (), {}).run()
        whole = time.perf_counter() - started
    return {"seconds": whole, "busy": Sleeper.busy / whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="another checkout of evalsuite")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(CASES[given.case])))
        return
    here = Path(__file__).resolve().parents[1]
    places = [("now", here)] if given.before is None else [("before", given.before), ("now", here)]
    print("| case | checkout | seconds | device busy |\n|---|---|---|---|")
    for case in CASES:
        for name, root in places:
            done = subprocess.run(
                [sys.executable, __file__, "--case", case],
                env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"| {case} | {name} | {found['seconds']:.1f} | {found['busy']:.1%} |", flush=True)


if __name__ == "__main__":
    main()
