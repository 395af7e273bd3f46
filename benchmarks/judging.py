"""What judging costs beside the client: CPU seconds of this process around a judge that answers at once.

MM-Vet's layout (text questions of 2,700 characters) and GEdit-Bench's (two questions with images of 1024 x
768 per edit), judged over a server on loopback; the same number of the same questions through the bare
`openai` client, with as many on their way, is the floor, to which belongs what VIEScore's protocol does with
each image: decode, resize, encode as JPEG with PIL. `kept` is the same command with nothing left to ask:
what finding each judgement again costs.

    python benchmarks/judging.py [--count 100]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.endpoint.server import serving
from tests.judging.data import PLUGIN, gedit, gedit_row, mmvet

IN_FLIGHT = 8
PICTURES = 4


def photograph(seed: int) -> bytes:
    import numpy as np
    from PIL import Image

    coarse = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((1024, 768), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def measured(folder: Path, task: str, model: str, count: int) -> Path:
    """A run with `count` answers."""
    from evalsuite.registry import load_registry
    from evalsuite.running import run
    from evalsuite.spec import ModelSpec, RunSpec, TaskSpec

    if task == "mm-vet":
        data = mmvet(folder / "data", count)
    else:
        rows = [gedit_row(f"k{i}", "color_alter", f"edit {i}") for i in range(count)]
        sources = [photograph(seed) for seed in range(PICTURES)]
        for i, row in enumerate(rows):
            row["input_image"]["bytes"] = sources[i % PICTURES]
        data = gedit(folder / "data", rows)
    plugins = (PLUGIN,)
    spec = RunSpec(model=ModelSpec(name=model), tasks=(TaskSpec(name=task, data=data),), plugins=plugins)
    run(spec, folder / "run", registry=load_registry(plugins))
    return folder / "run"


def bare(url: str, bodies: list[dict[str, Any]]) -> None:
    from openai import AsyncOpenAI

    async def all_of_them() -> None:
        gate = asyncio.Semaphore(IN_FLIGHT)
        async with AsyncOpenAI(api_key="none", base_url=url) as client:

            async def one(body: dict[str, Any]) -> None:
                async with gate:
                    await client.chat.completions.create(**body)

            await asyncio.gather(*map(one, bodies))

    asyncio.run(all_of_them())


def encoded(count: int) -> None:
    """Decodes, resizes and encodes the three images of each edit."""
    from PIL import Image

    sources = [photograph(seed) for seed in range(PICTURES)]
    for i in range(count):
        source = sources[i % PICTURES]
        for _ in range(3):
            with Image.open(io.BytesIO(source)) as opened:
                opened.convert("RGB").resize(opened.size).save(io.BytesIO(), "JPEG")


def cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    import openai  # noqa: F401  imports are no part of the figures
    import scipy.stats  # noqa: F401

    from evalsuite.endpoint import Server
    from evalsuite.judging.asking import judge_run

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100, help="answers per task")
    count = parser.parse_args().count
    cases = {
        "mm-vet": ("answering", "tests.judging.replies:grade"),
        "gedit-bench-en": ("copy-source", "tests.judging.replies:viescore"),
    }
    print(f"{'task':<16}{'questions':>10}{'bare':>10}{'judged':>10}{'ratio':>8}{'kept':>10}   ms of CPU each")
    for task, (model, answers) in cases.items():
        with tempfile.TemporaryDirectory() as name, serving(Path(name), answers) as local:
            run = measured(Path(name), task, model, count)
            server = Server(local.url, "judge", in_flight=IN_FLIGHT)
            judged = cpu(lambda run=run, server=server: judge_run(run, server))  # type: ignore[misc]
            bodies = [request["body"] for request in local.requests()]
            kept = cpu(lambda run=run, server=server: judge_run(run, server))  # type: ignore[misc]
            floor = cpu(lambda url=local.url, bodies=bodies: bare(url, bodies))  # type: ignore[misc]
            if task != "mm-vet":
                floor += cpu(lambda: encoded(count))
        asked = len(bodies)
        figures = [f"{seconds / asked * 1000:>10.1f}" for seconds in (floor, judged, kept)]
        print(f"{task:<16}{asked:>10}{figures[0]}{figures[1]}{judged / floor:>8.2f}{figures[2]}")


if __name__ == "__main__":
    main()
