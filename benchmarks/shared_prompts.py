"""Choices and beams of one prompt: the prompt's cache shared, against a copy of it for each.

    python benchmarks/shared_prompts.py [PROMPT_TOKENS] [CHOICES]

CPU seconds and bytes of the key-value cache of the miniature's language model, for 4 prompts at once. Copies
are what `DecodingState.select` makes of a row.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch

from evalsuite.dreamllm.decoding import DecodingState
from evalsuite.dreamllm.static import StaticDecoding
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry

ROWS, TAIL, STEPS, BEAMS = 4, 8, 24, 5


def cached(state: DecodingState) -> int:
    """Bytes of keys and values."""
    layers = state.cache.layers
    return sum(2 * layer.keys.numel() * layer.keys.element_size() for layer in layers)


def measured(run: Callable[[], int]) -> tuple[float, int]:
    run()
    started = time.process_time()
    size = run()
    return time.process_time() - started, size


def main() -> None:
    prompt, count = [int(one) for one in sys.argv[1:]] or [300, 16]
    entry, argument = load_registry().model("dreamllm-mini")
    model = entry.build(ModelOptions(argument=argument, device="cpu")).model  # type: ignore[attr-defined]
    ids = torch.randint(300, 400, (ROWS, prompt))
    tails = torch.randint(300, 400, (ROWS * count, TAIL))
    beams = torch.randint(300, 400, (STEPS, ROWS * BEAMS, 1))
    places = [row * BEAMS + (beam + 1) % BEAMS for row in range(ROWS) for beam in range(BEAMS)]

    def choices(shared: bool) -> int:
        state = DecodingState(model, ids, ahead=TAIL * (count if shared else 1))
        if shared:
            state.fork(count)
        else:
            state.select([row for row in range(ROWS) for _ in range(count)])
        state.append(tails, every=True)
        return cached(state)

    def search(shared: bool) -> int:
        state = DecodingState(model, ids, ahead=STEPS * (BEAMS if shared else 1))
        if shared:
            state.fork(BEAMS)
        else:
            state.select([row for row in range(ROWS) for _ in range(BEAMS)])
        for step in beams:
            state.append(step)
            if shared:
                state.follow(places)
            else:
                state.select(places)
        return cached(state)

    def write(static: StaticDecoding | None) -> int:
        state = DecodingState(model, ids, ahead=STEPS, static=static)
        for _ in range(STEPS):
            state.append(state.logits.argmax(-1)[:, None])
        return cached(state)

    rows = [
        (f"{count} choices, a cache each", lambda: choices(False)),
        (f"{count} choices, shared", lambda: choices(True)),
        (f"{BEAMS} beams, a cache each", lambda: search(False)),
        (f"{BEAMS} beams, shared", lambda: search(True)),
        (f"greedy, {STEPS} tokens", lambda: write(None)),
        ("the same, static cache", lambda: write(StaticDecoding(model))),
        ("the same, static and compiled", lambda: write(StaticDecoding(model, compiled=True))),
    ]
    with torch.no_grad():
        compiled = StaticDecoding(model, compiled=True)
        rows[-1] = (rows[-1][0], lambda: write(compiled))
        print(f"{ROWS} prompts of {prompt} tokens{'':<12}{'CPU s':>8}{'cache MiB':>11}")
        for name, run in rows:
            seconds, size = measured(run)
            print(f"{name:<33}{seconds:>8.2f}{size / 2**20:>11.1f}")


if __name__ == "__main__":
    main()
