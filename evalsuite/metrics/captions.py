"""Caption scores: BLEU 1–4, ROUGE-L, CIDEr-D and METEOR, as COCO's evaluation computes them.

All functions take *tokenised* captions (`ptb.tokenize_captions`), one prediction and at least one reference
per image, and return what is needed per image, so that a score of any subset or bootstrap resample costs a
sum:

* BLEU adds up integer counts over images (`BleuCounts`);
* ROUGE-L and CIDEr-D are means over images; CIDEr's document frequencies stay those of the whole set;
* METEOR aggregates the statistics of its segments (`MeteorScores`), the corpus score is not their mean.

Official: salaniz/pycocoevalcap (= tylin/coco-caption for Python 3). Equal per image to 1e-12 on its recorded
output (tests/metrics/test_captions.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import SampleError
from evalsuite.metrics.ptb import tokenize_captions

__all__ = ["BleuCounts", "CaptionScores", "bleu_counts", "cider_d", "rouge_l", "score_captions"]

Tokens = Sequence[str]
References = Sequence[Sequence[str]]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ORDERS = 4
_SIGMA = 6.0
_ROUGE_BETA = 1.2


def _check(predictions: Tokens, references: References) -> None:
    if len(predictions) != len(references) or not predictions:
        raise SampleError(
            f"Caption scores need one prediction per image: {len(predictions)} for {len(references)} images."
        )
    if not all(references):
        raise SampleError("Caption scores need at least one reference for every image.")


@dataclass(frozen=True, slots=True)
class BleuCounts:
    """The statistics from which BLEU is made; add rows of images to get those of a set.

    Args:
        prediction_length: (N,) tokens of each prediction.
        reference_length: (N,) tokens of the reference closest in length (the shorter one of two as close).
        guess: (N, 4) n-grams in each prediction, n = 1..4.
        correct: (N, 4) of them also in a reference, each at most as often as in the reference that has it
            most.
    """

    prediction_length: Integers
    reference_length: Integers
    guess: Integers
    correct: Integers

    def scores(self, images: Integers | None = None) -> tuple[float, float, float, float]:
        """Corpus BLEU-1..4 in [0, 1], over all images or the given indices (repeats count)."""
        pick: Any = slice(None) if images is None else images
        lengths = self.prediction_length[pick].sum(), self.reference_length[pick].sum()
        bleu = _bleu(
            np.array([lengths[0]]),
            np.array([lengths[1]]),
            self.guess[pick].sum(axis=0)[None],
            self.correct[pick].sum(axis=0)[None],
        )[0]
        return float(bleu[0]), float(bleu[1]), float(bleu[2]), float(bleu[3])

    def per_image(self) -> Floats:
        """(N, 4) BLEU-1..4 of every image by itself, as the official scorer reports them."""
        return _bleu(self.prediction_length, self.reference_length, self.guess, self.correct)


def _bleu(length: Integers, reference: Integers, guess: Integers, correct: Integers) -> Floats:
    # The official constants: no guess gives 0, not an error, and no reference is not divided by.
    small, tiny = 1e-9, 1e-15
    product = np.cumprod((correct + tiny) / (guess + small), axis=1)
    bleu = product ** (1.0 / np.arange(1, _ORDERS + 1))
    ratio = (length + tiny) / (reference + small)
    brevity = np.array([math.exp(1 - 1 / value) if value < 1 else 1.0 for value in ratio])
    scores: NDArray[np.float64] = bleu * brevity[:, None]
    return scores


@dataclass(frozen=True, slots=True)
class _Grams:
    """N-grams of one order in all captions.

    Args:
        caption, gram, count: sorted distinct (caption, gram) pairs and how often; predictions come first.
        distinct: number of grams.
        predictions: how many of the pairs are the predictions'.
        image_grams: sorted distinct (image, gram) pairs of the references, as image * distinct + gram.
        where: place in `image_grams` of every reference pair.
        shared, found: place among the predictions' pairs of each of `image_grams`, and whether it is there.
    """

    caption: Integers
    gram: Integers
    count: Integers
    distinct: int
    predictions: int
    image_grams: Integers
    where: Integers
    shared: Integers
    found: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Corpus:
    """Predictions (captions 0..N-1) and references (N..) with shared n-gram numbers."""

    images: int
    image: Integers
    length: Integers
    orders: tuple[_Grams, ...]


def _corpus(predictions: Tokens, references: References) -> _Corpus:
    _check(predictions, references)
    captions = [*predictions, *(reference for image in references for reference in image)]
    numbers: dict[str, int] = {}
    flat: list[int] = []
    lengths: list[int] = []
    for caption in captions:
        words = caption.split()
        lengths.append(len(words))
        flat.extend([numbers.setdefault(word, len(numbers)) for word in words])
    length = np.array(lengths, dtype=np.int64)
    token = np.array(flat, dtype=np.int64)
    caption_of = np.repeat(np.arange(len(captions)), length)
    per_image = np.array([len(image) for image in references], dtype=np.int64)
    image = np.concatenate([np.arange(len(predictions)), np.repeat(np.arange(len(references)), per_image)])

    orders = []
    gram, distinct = token, max(len(numbers), 1)
    vocabulary = distinct
    for order in range(1, _ORDERS + 1):
        if order > 1:
            # The gram that starts here is the shorter one that starts here plus one more word.
            inside = caption_of[: 1 - order or None][: token.size - order + 1] == caption_of[order - 1 :]
            longer = gram[: token.size - order + 1] * vocabulary + token[order - 1 :]
            compact = np.full(token.size, -1, dtype=np.int64)
            starts = np.nonzero(inside)[0]
            values, compact[starts] = np.unique(longer[inside], return_inverse=True)
            gram, distinct = compact, max(values.size, 1)
        starts = np.nonzero(gram >= 0)[0]
        pairs, count = np.unique(caption_of[starts] * distinct + gram[starts], return_counts=True)
        caption, number = np.divmod(pairs, distinct)
        split = int(np.searchsorted(caption, len(predictions)))
        keys = image[caption] * distinct + number
        image_grams, where = np.unique(keys[split:], return_inverse=True)
        shared, found = _locate(keys[:split], image_grams)
        count = count.astype(np.int64)
        orders.append(_Grams(caption, number, count, distinct, split, image_grams, where, shared, found))
    return _Corpus(len(predictions), image, length, tuple(orders))


def bleu_counts(predictions: Tokens, references: References) -> BleuCounts:
    """BLEU's statistics of every image (closest reference length, clipped counts).

    Args:
        predictions: N tokenised captions (`ptb.tokenize_captions`).
        references: N lists of tokenised captions, at least one each.

    Raises:
        SampleError: not one prediction per image, or an image without references.
    """
    return _bleu_counts(_corpus(predictions, references))


def _bleu_counts(corpus: _Corpus) -> BleuCounts:
    images = corpus.images
    length = corpus.length[:images]
    image, reference = corpus.image[images:], corpus.length[images:]
    # The closest, and the shorter among equally close ones.
    order = np.lexsort((reference, np.abs(reference - length[image]), image))
    first = np.searchsorted(image[order], np.arange(images))
    guess = np.maximum(0, length[:, None] - np.arange(_ORDERS))
    correct = np.zeros((images, _ORDERS), dtype=np.int64)
    for n, grams in enumerate(corpus.orders):
        most = np.zeros(grams.image_grams.size, dtype=np.int64)
        np.maximum.at(most, grams.where, grams.count[grams.predictions :])
        shared = grams.shared[grams.found]
        clipped = np.minimum(grams.count[shared], most[grams.found])
        correct[:, n] = np.bincount(grams.caption[shared], weights=clipped, minlength=images)
    return BleuCounts(length, reference[order][first], guess, correct)


def _locate(keys: Integers, wanted: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Where each wanted key stands among sorted `keys`, and whether it does."""
    if not keys.size:
        return np.zeros(wanted.size, dtype=np.int64), np.zeros(wanted.size, dtype=bool)
    at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return at, keys[at] == wanted


def cider_d(predictions: Tokens, references: References) -> Floats:
    """(N,) CIDEr-D of every image, in [0, 10]; the corpus score is the mean.

    TF-IDF vectors of 1..4-grams, document frequencies from the references of this very set (so a subset has
    other values, and a single image has 0), counts clipped to the reference's, a Gaussian penalty on the
    difference in length (sigma 6), mean over references and orders, times 10 (Vedantam et al. 2015).
    pycocoevalcap calls this "CIDEr".

    Args:
        predictions: N tokenised captions (`ptb.tokenize_captions`).
        references: N lists of tokenised captions, at least one each.

    Raises:
        SampleError: not one prediction per image, or an image without references.
    """
    return _cider_d(_corpus(predictions, references))


def _cider_d(corpus: _Corpus) -> Floats:
    images, captions = corpus.images, corpus.length.size
    references = captions - images
    image = corpus.image[images:]
    similarity = np.zeros((references, _ORDERS))
    for n, grams in enumerate(corpus.orders):
        if not grams.gram.size:
            continue
        split = grams.predictions
        frequency = np.bincount(grams.image_grams % grams.distinct, minlength=grams.distinct)
        weight = np.log(float(images)) - np.log(np.maximum(1.0, frequency))
        vector = grams.count * weight[grams.gram]
        norm = np.sqrt(np.bincount(grams.caption, weights=vector**2, minlength=captions))
        predicted = np.zeros(grams.image_grams.size)
        predicted[grams.found] = vector[grams.shared[grams.found]]
        shared = np.minimum(predicted[grams.where], vector[split:]) * vector[split:]
        product = np.bincount(grams.caption[split:] - images, weights=shared, minlength=references)
        scale = norm[:images][image] * norm[images:]
        similarity[:, n] = np.divide(product, scale, out=np.zeros(references), where=scale != 0)
    # The official "length" counts bigrams.
    bigrams = np.maximum(0, corpus.length - 1)
    delta = (bigrams[:images][image] - bigrams[images:]).astype(np.float64)
    similarity *= (np.e ** (-(delta**2) / (2 * _SIGMA**2)))[:, None]
    count = np.bincount(image, minlength=images)
    sums = np.stack([np.bincount(image, weights=column, minlength=images) for column in similarity.T], axis=1)
    scores: NDArray[np.float64] = 10.0 * (sums.mean(axis=1) / count)
    return scores


def rouge_l(predictions: Tokens, references: References) -> Floats:
    """(N,) ROUGE-L of every image, in [0, 1]; the corpus score is the mean.

    F with beta 1.2 of the best precision and the best recall, taken over the references separately, of the
    longest common subsequence (Lin 2004; pycocoevalcap). Words are split at single spaces (an empty caption
    is one empty word), as officially.

    Args:
        predictions: N tokenised captions (`ptb.tokenize_captions`).
        references: N lists of tokenised captions, at least one each.

    Raises:
        SampleError: not one prediction per image, or an image without references.
    """
    _check(predictions, references)
    pairs = zip(predictions, references, strict=True)
    return np.array([_rouge(prediction, image) for prediction, image in pairs])


def _rouge(prediction: str, references: Sequence[str]) -> float:
    words = prediction.split(" ")
    # All references side by side in one integer, one bit per word, a guard bit between them that stops the
    # carries; each step of the bit-parallel LCS (Hyyrö 2004) then serves all of them.
    places: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    at = 0
    for reference in references:
        others = reference.split(" ")
        spans.append((at, len(others)))
        for word in others:
            places[word] = places.get(word, 0) | 1 << at
            at += 1
        at += 1
    body = (1 << at) - 1
    for start, size in spans:
        body ^= 1 << (start + size)
    row = body
    for word in words:
        match = row & places.get(word, 0)
        row = ((row + match) | (row - match)) & body
    best_precision = best_recall = 0.0
    for start, size in spans:
        common = size - (row >> start & (1 << size) - 1).bit_count()
        best_precision = max(best_precision, common / float(len(words)))
        best_recall = max(best_recall, common / float(size))
    if best_precision == 0 or best_recall == 0:
        return 0.0
    square = _ROUGE_BETA**2
    return ((1 + square) * best_precision * best_recall) / (best_recall + square * best_precision)


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """BLEU, ROUGE-L and CIDEr-D of N images, per image, and of the set."""

    bleu: BleuCounts
    rouge: Floats
    cider: Floats

    def summary(self, images: Integers | None = None) -> dict[str, float]:
        """The official table over all images or the given indices (repeats count).

        Returns:
            `Bleu_1` to `Bleu_4` and `ROUGE_L` in [0, 1], `CIDEr` in [0, 10].
        """
        pick: Any = slice(None) if images is None else images
        bleu = self.bleu.scores(images)
        return {
            **{f"Bleu_{n}": value for n, value in enumerate(bleu, start=1)},
            "ROUGE_L": float(self.rouge[pick].mean()),
            "CIDEr": float(self.cider[pick].mean()),
        }


def score_captions(
    predictions: Sequence[str], references: References, *, tokenize: bool = True
) -> CaptionScores:
    """BLEU, ROUGE-L and CIDEr-D of raw captions, as COCOEvalCap computes them.

    Args:
        predictions: one caption per image, in the order of the official file.
        references: the captions of each image, in the same order (the tokenizer looks across captions).
        tokenize: False for captions that are tokenised already.

    Raises:
        SampleError: not one prediction per image, or an image without references.

    >>> scores = score_captions(["a cat", "two dogs run"], [["A cat."], ["Two dogs."]])
    >>> round(scores.summary()["Bleu_1"], 6)
    0.8
    """
    _check(predictions, references)
    if tokenize:
        flat = iter(tokenize_captions(reference for image in references for reference in image))
        references = [[next(flat) for _ in image] for image in references]
        predictions = tokenize_captions(predictions)
    corpus = _corpus(predictions, references)
    return CaptionScores(_bleu_counts(corpus), rouge_l(predictions, references), _cider_d(corpus))
