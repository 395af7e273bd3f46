"""Caches of decoding: written in place, shared by beams and choices, or of a fixed size."""

from __future__ import annotations

import pytest
import torch

from evalsuite.dreamllm.cache import BufferLayer
from evalsuite.dreamllm.decoding import DecodingState
from evalsuite.dreamllm.generation import generate_text, score_continuations
from evalsuite.dreamllm.static import StaticDecoding
from evalsuite.errors import SpecError
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry
from tests.dreamllm.test_generation import MODEL, PROCESSOR

PROMPTS = PROCESSOR.pad_left([PROCESSOR.encode(text) for text in ("Tell a story.", "A", "two red circles")])


def test_a_buffer_grows_and_keeps_what_is_written() -> None:
    layer, pieces = BufferLayer(ahead=4), torch.randn(3, 2, 200, 5).split([7, 3, 1, 100, 89], 2)
    for piece in pieces:
        keys, values = layer.update(piece, -piece)
    assert torch.equal(keys, torch.cat(pieces, 2))
    assert torch.equal(values, -keys)
    layer.crop(-89)
    layer.reorder_cache(torch.tensor([2, 0]))
    keys, _ = layer.update(pieces[4][[2, 0]], pieces[4][[2, 0]])
    assert torch.equal(keys, torch.cat(pieces, 2)[[2, 0]])


def test_a_step_writes_into_the_buffer_that_is_there() -> None:
    state = DecodingState(MODEL, *PROMPTS, ahead=8)
    before = [layer.keys.data_ptr() for layer in state.cache.layers]
    for _ in range(8):
        state.append(state.logits.argmax(-1)[:, None])
    assert [layer.keys.data_ptr() for layer in state.cache.layers] == before


@torch.no_grad()
def test_forks_give_what_rows_of_their_own_give() -> None:
    """Beams that change places, each step against rows that hold prompt and beam."""
    ids, mask = PROMPTS
    state, width = DecodingState(MODEL, ids, mask), 3
    before = [layer.length for layer in state.cache.layers]
    state.fork(width)
    generator = torch.Generator().manual_seed(0)
    written = [[] for _ in range(len(ids) * width)]  # type: list[list[int]]
    for _ in range(4):
        tokens = torch.randint(20, 300, (len(written), 2), generator=generator)
        parents = [
            row * width + int(torch.randint(width, (), generator=generator))
            for row in range(len(ids))
            for _ in range(width)
        ]
        written = [written[parent] + own for parent, own in zip(parents, tokens.tolist(), strict=True)]
        state.follow(parents)
        state.append(tokens)
        alone = DecodingState(MODEL, ids, mask)
        alone.select([row for row in range(len(ids)) for _ in range(width)])
        alone.append(torch.tensor(written))
        torch.testing.assert_close(state.logits, alone.logits, atol=1e-3, rtol=1e-4)
    state.join()
    assert [layer.length for layer in state.cache.layers] == before


def test_choices_that_do_not_fit_one_pass_score_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = [[[40 + i, 41, 42 + i][: 1 + i % 3] for i in range(count)] for count in (7, 1, 4)]
    together = score_continuations(MODEL, *PROMPTS, choices)
    monkeypatch.setattr("evalsuite.dreamllm.generation.SCORED", 6)
    pieces = score_continuations(MODEL, *PROMPTS, choices)
    for one, other, own in zip(together, pieces, choices, strict=True):
        assert len(one) == len(own)
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_cache_of_fixed_size_writes_the_same(temperature: float) -> None:
    options = {"max_new_tokens": 12, "temperature": temperature, "seeds": [1, 2, 3]}
    growing = generate_text(MODEL, *PROMPTS, **options)  # type: ignore[arg-type]
    fixed = generate_text(MODEL, *PROMPTS, static=StaticDecoding(MODEL), **options)  # type: ignore[arg-type]
    assert [one.ids for one in fixed] == [one.ids for one in growing]


def test_compiling_text_without_a_cache_of_fixed_size_is_refused() -> None:
    entry, argument = load_registry().model("dreamllm-mini")
    with pytest.raises(SpecError, match="fixed size"):
        entry.build(ModelOptions(argument=argument, device="cpu", options={"compile": "text"}))
