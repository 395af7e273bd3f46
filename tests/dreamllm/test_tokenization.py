"""Both modes of Llama's slow tokenizer: against transformers 4.35.2, and against sentencepiece directly.

`tokens-transformers-4.35.2.json` holds 80 random strings of words, spaces and special tokens with what that
version's LlamaTokenizer gave for the recorded tokenizer files, `legacy=false` and, as `ids_legacy`, `true`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from evalsuite.dreamllm.conversation import Mark
from evalsuite.dreamllm.processing import DreamLLMProcessor
from evalsuite.dreamllm.tokenization import SentencePieceTokenizer
from tests.dreamllm.recordings import TINY

CASES = json.loads((Path(__file__).parent / "tokens-transformers-4.35.2.json").read_text(encoding="utf-8"))
LEGACY = TINY.processor.tokenizer
assert isinstance(LEGACY, SentencePieceTokenizer)
NEWER = SentencePieceTokenizer(LEGACY.path, LEGACY.added, legacy=False)
PIECES = SentencePieceProcessor(model_file=str(LEGACY.path))
IMAGE = [LEGACY.vocabulary[text] for text in ("<im_start>", "<im_patch>", "<im_end>")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"])[:40])
def test_ids_and_text_are_those_of_transformers_4_35(case: Any) -> None:
    assert [1, *NEWER.encode_marked(case["text"])] == case["ids"]
    assert [1, *LEGACY.encode_marked(case["text"])] == case["ids_legacy"]
    assert NEWER.decode(case["ids"], skip_special=False) == case["decode"]
    assert NEWER.decode(case["ids"]) == case["decode_skip"]


def test_text_behind_a_special_token_has_a_space_of_its_own_only_in_legacy_mode() -> None:
    assert LEGACY.encode("What", start=False) == PIECES.encode("What")
    assert PIECES.id_to_piece(LEGACY.encode("What", start=False)[0]).startswith("▁")
    assert PIECES.decode(NEWER.encode("What", start=False)) == "What"
    assert not PIECES.id_to_piece(NEWER.encode("What", start=False)[0]).startswith("▁")


@pytest.mark.parametrize("mode", [LEGACY, NEWER], ids=["legacy", "newer"])
def test_a_leading_space_is_a_token(mode: SentencePieceTokenizer) -> None:
    """The evaluation template begins with one; transformers 5 drops it."""
    assert mode.encode(" A chat") == [PIECES.piece_to_id("▁"), *PIECES.encode("A chat")]


@given(st.text(st.sampled_from("ab .,\n▁é猫"), max_size=12))
def test_without_special_tokens_the_modes_agree_with_sentencepiece(text: str) -> None:
    assert LEGACY.encode(text) == PIECES.encode(text)
    if text and not text.startswith("▁"):
        # what the newer mode adds by hand is what sentencepiece adds in front
        assert NEWER.encode(text) == PIECES.encode(text.replace("▁", " "))


@given(st.lists(st.text(st.sampled_from("ab .\n▁"), min_size=1, max_size=6), min_size=1, max_size=4))
def test_pieces_give_the_ids_of_the_marked_text(texts: list[str]) -> None:
    marked = "<im_start><im_patch><im_end>".join(["", *texts])
    processor = DreamLLMProcessor(NEWER, TINY.processor.images, TINY.processor.tokens, 1, 1, 512)
    pieces = [piece for text in texts for piece in (Mark.IMAGE, text)]
    assert processor.encode(pieces) == [1, *NEWER.encode_marked(marked)]
    legacy = DreamLLMProcessor(LEGACY, TINY.processor.images, TINY.processor.tokens, 1, 1, 512)
    assert legacy.encode(pieces) == [1, *LEGACY.encode_marked(marked)]
