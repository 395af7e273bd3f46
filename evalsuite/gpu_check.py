"""What a GPU does with the smallest model of every capability: the first numbers to look at on a new device.

The miniature is far too small to keep a GPU busy; its numbers show that everything runs there, what rounding
does in each precision, and where the host holds the device up. A checkpoint of real size says how fast it is.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalsuite.content import Image, user
from evalsuite.engine.differences import TOLERANCES, Seen, difference
from evalsuite.engine.worker import see
from evalsuite.errors import EvalsuiteError, UnavailableError
from evalsuite.model import METHODS, Model, Prepared, probing
from evalsuite.registry import Registry
from evalsuite.request import (
    GenerateDocument,
    GenerateImages,
    GenerateText,
    Output,
    Request,
    ScoreChoices,
)
from evalsuite.running.resolving import build_model
from evalsuite.spec import ModelSpec, RunSpec

MODEL = "dreamllm-mini"
"""It has every capability and is installed."""
BATCH = 8


@dataclass(frozen=True, slots=True)
class Measured:
    """One capability in one precision.

    Args:
        speed: units per second, after a first run that does not count.
        noise: how far copies of a request in a batch are from it alone.
        peak: bytes of the device at most; None on the CPU.
        busy: share of the time in which the device computed; None on the CPU.
        error: why there are no numbers; empty otherwise.
    """

    capability: str
    dtype: str
    speed: float = 0.0
    unit: str = ""
    noise: str = ""
    peak: int | None = None
    busy: float | None = None
    error: str = ""


def measure(registry: Registry, device: str, dtypes: Sequence[str] | None = None) -> Iterator[Measured]:
    """A tiny run of every capability in every precision.

    Args:
        device: as `--device` takes it.
        dtypes: None for all that the device can do.

    Raises UnavailableError where there is no such device.
    """
    import torch

    if device != "cpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise UnavailableError(
            "torch sees no GPU.",
            "Install a torch build for your GPU, or use --device cpu.",
        )
    for dtype in dtypes or supported(device):
        try:
            spec = RunSpec(model=ModelSpec(name=MODEL, device=device, dtype=dtype), tasks=())
            model = build_model(spec, registry)
        except (EvalsuiteError, RuntimeError) as error:
            yield Measured("loading", dtype, error=_line(error))
            continue
        for capability, request in requests().items():
            try:
                yield _measured(model, capability, dtype, request)
            except (EvalsuiteError, RuntimeError) as error:
                yield Measured(capability, dtype, error=_line(error))


def supported(device: str) -> list[str]:
    """The precisions that a device computes in."""
    import torch

    half = ["float16"] if device != "cpu" else []
    bfloat = not device.startswith("cuda") or torch.cuda.is_bf16_supported()
    return ["float32", *(["bfloat16"] if bfloat else []), *half]


def requests() -> dict[str, Request]:
    """One request of every capability."""
    image = _grey()
    steps = GenerateImages(steps=4)
    asked: dict[str, tuple[Any, Output]] = {
        "text": (user(image, "What is this?"), GenerateText(max_new_tokens=16)),
        "choices": (user(image, "What is this?"), ScoreChoices(("a red circle", "two", "grey"))),
        "image": (user("a red circle above a blue square"), steps),
        "edit": (user(image, "make it red"), steps),
        "interleaved": (user(""), GenerateDocument(max_new_tokens=16, max_images=1, image=steps)),
    }
    return {name: Request((message,), output, seed=1) for name, (message, output) in asked.items()}


def block(rows: Sequence[Measured]) -> str:
    """The numbers as text, with what they depend on, to be pasted into an issue."""
    import torch

    lines = [f"torch {torch.__version__}, CUDA {torch.version.cuda}, batch {BATCH}, {MODEL}"]
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            found = torch.cuda.get_device_properties(i)
            lines.append(
                f"cuda:{i} {found.name}, {found.total_memory / 2**30:.0f} GiB, sm_{found.major}{found.minor}"
            )
    head = f"{'capability':<13}{'dtype':<10}{'speed':>16}{'peak':>10}{'busy':>7}  rounding in a batch"
    return "\n".join([*lines, head, *map(_row, rows)])


def _row(row: Measured) -> str:
    if row.error:
        return f"{row.capability:<13}{row.dtype:<10}failed: {row.error}"
    peak = "-" if row.peak is None else f"{row.peak / 2**20:.0f} MiB"
    busy = "-" if row.busy is None else f"{row.busy:.0%}"
    speed = f"{row.speed:.1f} {row.unit}/s"
    return f"{row.capability:<13}{row.dtype:<10}{speed:>16}{peak:>10}{busy:>7}  {row.noise}"


def _measured(model: Model, capability: str, dtype: str, request: Request) -> Measured:
    import torch

    method = METHODS[request.output.capability if capability != "edit" else "edit"]
    prepared = model.prepare(request)
    different = [model.prepare(replace(request, seed=i)) for i in range(BATCH)]
    on_gpu = torch.cuda.is_available() and str(model.info.details.get("device", "")).startswith("cuda")
    alone, copies = _seen(model, method, [prepared]), _seen(model, method, [prepared] * BATCH)
    gap = difference(alone[0], copies[-1], largest=TOLERANCES.get(dtype, TOLERANCES["float32"]).largest)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    started = time.perf_counter()
    answers = getattr(model, method)(different)
    if on_gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    count, unit = _units(answers)
    return Measured(
        capability,
        dtype,
        count / seconds,
        unit,
        str(gap),
        torch.cuda.max_memory_allocated() if on_gpu else None,
        _busy(model, method, different) if on_gpu else None,
    )


def _seen(model: Model, method: str, batch: Sequence[Prepared]) -> Sequence[Seen]:
    with probing.next_token_logits(probing.networks_of(model)) as logits:
        answers = getattr(model, method)(batch)
    return see(answers, logits if method == "generate_text" else ())


def _units(answers: Sequence[Any]) -> tuple[float, str]:
    first = answers[0]
    if hasattr(first, "text"):
        return float(sum(answer.tokens or 0 for answer in answers)), "tokens"
    if hasattr(first, "images"):
        return float(sum(len(answer.images) for answer in answers)), "images"
    return float(len(answers)), "requests"


def _busy(model: Model, method: str, batch: Sequence[Prepared]) -> float:
    """Share of a run in which kernels ran, by torch's profiler (which slows the run down a little)."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as recorded:
        started = time.perf_counter()
        getattr(model, method)(batch)
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    kernels = sum(getattr(event, "self_device_time_total", 0) for event in recorded.key_averages())
    return min(1.0, kernels / 1e6 / seconds)


def _grey() -> Image:
    from PIL import Image as pil

    stream = io.BytesIO()
    pil.linear_gradient("L").convert("RGB").save(stream, "PNG")
    return Image(stream.getvalue(), name="gradient.png")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]
