"""Caption tokens and scores of adversarial corpora against pycocoevalcap, per image and of the corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evalsuite.metrics.captions import score_captions
from evalsuite.metrics.meteor import meteor, meteor_available
from evalsuite.metrics.ptb import tokenize_captions
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize("path", case_files("*captions_cases*.json*"), ids=lambda path: path.name)
ROUNDED = 5.01e-11
"""The recorded values are rounded to ten digits."""


def _column(path: Path, begin: str) -> list:
    """The values of the column whose name begins so."""
    oracle = read_json(path)
    place = next(i for i, name in enumerate(oracle["columns"]) if name.startswith(begin))
    return [row[place] for row in oracle["rows"]]


@EVERY_FILE
def test_all_tokenizer_strings_agree(path: Path, compared: Compared) -> None:
    strings = read_json(path)["tokenizer"]
    assert tokenize_captions([text for text, _ in strings]) == [tokens for _, tokens in strings]
    compared("PTB tokenizer, strings", len(strings))


@EVERY_FILE
def test_all_captions_of_the_corpus_get_the_official_tokens(path: Path, compared: Compared) -> None:
    predictions, references = _column(path, "pred"), _column(path, "refs")
    assert tokenize_captions(predictions) == _column(path, "pred_tok")
    flat = iter(tokenize_captions(reference for image in references for reference in image))
    assert [[next(flat) for _ in image] for image in references] == _column(path, "refs_tok")
    compared("PTB tokenizer, captions of a corpus", len(predictions) + sum(map(len, references)))


@EVERY_FILE
def test_every_image_and_the_corpus_score_as_officially(path: Path, compared: Compared) -> None:
    scores = score_captions(_column(path, "pred"), _column(path, "refs"))
    assert np.abs(scores.bleu.per_image() - np.array(_column(path, "bleu"))).max() < ROUNDED
    assert np.abs(scores.rouge - np.array(_column(path, "rouge"))).max() < ROUNDED
    assert np.abs(scores.cider - np.array(_column(path, "cider"))).max() < ROUNDED
    summary, corpus = scores.summary(), read_json(path)["corpus"]
    assert [summary[f"Bleu_{n}"] for n in range(1, 5)] == pytest.approx(corpus["Bleu"], abs=ROUNDED)
    assert summary["ROUGE_L"] == pytest.approx(corpus["ROUGE_L"], abs=ROUNDED)
    assert summary["CIDEr"] == pytest.approx(corpus["CIDEr"], abs=ROUNDED)
    compared("captions: BLEU, ROUGE-L, CIDEr-D per image", len(scores.rouge))


@EVERY_FILE
@pytest.mark.skipif(not meteor_available(), reason="METEOR needs Java and pycocoevalcap")
def test_meteor_agrees_per_image_and_on_the_corpus(path: Path, compared: Compared) -> None:
    scores = meteor(_column(path, "pred_tok"), _column(path, "refs_tok"))
    assert np.abs(scores.per_image - np.array(_column(path, "meteor"))).max() < ROUNDED
    assert scores.corpus == pytest.approx(read_json(path)["corpus"]["METEOR"], abs=ROUNDED)
    compared("captions: METEOR per image", len(scores.per_image))


@EVERY_FILE
def test_line_ends_inside_a_caption_shift_nothing(path: Path, compared: Compared) -> None:
    """The recorded official code shifts; ours gives what it gives for the same captions with a space."""
    hazards = read_json(path).get("line_end_hazards")
    if hazards is None:
        pytest.skip(f"{path.name} has no line ends")
    plain = tokenize_captions(["a cat sits", "two dogs"])
    for code in hazards:
        end = chr(int(code.removeprefix("U+"), 16))
        assert tokenize_captions([f"a cat{end}sits", "two dogs"]) == plain, code
    compared("PTB tokenizer, line ends", len(hazards))
