"""Caption scores against pycocoevalcap: recorded per image, and full precision on three real result sets."""

from __future__ import annotations

import numpy as np
import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.captions import bleu_counts, cider_d, rouge_l, score_captions
from evalsuite.metrics.meteor import meteor, meteor_available, meteor_of_segments
from tests.goldens import load_json

# The recorded values are rounded to ten digits.
ROUNDED = 5.01e-11


def test_every_recorded_image_scores_as_officially():
    oracle = load_json("oracles", "captions_cases.json.gz")
    rows, corpus = oracle["rows"], oracle["corpus"]
    scores = score_captions([row[0] for row in rows], [row[1] for row in rows])
    assert np.abs(scores.bleu.per_image() - np.array([row[4] for row in rows])).max() < ROUNDED
    assert np.abs(scores.rouge - np.array([row[6] for row in rows])).max() < ROUNDED
    assert np.abs(scores.cider - np.array([row[7] for row in rows])).max() < ROUNDED
    summary = scores.summary()
    assert [summary[f"Bleu_{n}"] for n in range(1, 5)] == pytest.approx(corpus["Bleu"], abs=ROUNDED)
    assert summary["ROUGE_L"] == pytest.approx(corpus["ROUGE_L"], abs=ROUNDED)
    assert summary["CIDEr"] == pytest.approx(corpus["CIDEr"], abs=ROUNDED)


def _real(name: str, references: str):
    captions = {}
    for annotation in load_json("captions", references)["annotations"]:
        captions.setdefault(annotation["image_id"], []).append(annotation["caption"])
    predicted = {row["image_id"]: row["caption"] for row in load_json("captions", name)}
    return [predicted[image] for image in captions], list(captions.values())


@pytest.mark.parametrize(
    ("key", "predictions", "references"),
    [
        ("coco/coco_train_1/coco", "preds_coco_coco_train_1.json.gz", "refs_coco.json.gz"),
        ("coco/flicker30K_1/coco", "preds_coco_flicker30K_1.json.gz", "refs_coco.json.gz"),
        (
            "flickr30k/coco_train_1/flickr30k",
            "preds_flickr30k_coco_train_1.json.gz",
            "refs_flickr30k.json.gz",
        ),
    ],
)
def test_real_result_sets_give_the_official_scores_in_full_precision(key, predictions, references):
    official = load_json("captions", "official_scores.json")[key]
    scores = score_captions(*_real(predictions, references))
    summary, counts = scores.summary(), scores.bleu
    for name in ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"):
        assert summary[name] == pytest.approx(official[name], abs=1e-9)
    assert official["bleu_stats"] == {
        "testlen": counts.prediction_length.sum(),
        "reflen": counts.reference_length.sum(),
        "guess": counts.guess.sum(axis=0).tolist(),
        "correct": counts.correct.sum(axis=0).tolist(),
    }


def test_generated_captions_score_as_the_installed_official_code():
    official = pytest.importorskip("pycocoevalcap.cider.cider")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.rouge.rouge import Rouge

    source = np.random.default_rng(5)

    def caption() -> str:
        return " ".join(source.choice(list("abcdefg"), size=source.integers(0, 9)))

    predictions = [caption() for _ in range(60)]
    references = [[caption() for _ in range(source.integers(1, 6))] for _ in range(60)]
    given = dict(enumerate(references)), {index: [text] for index, text in enumerate(predictions)}
    bleu, per_image = Bleu(4).compute_score(*given, verbose=0)
    counts = bleu_counts(predictions, references)
    assert counts.scores() == pytest.approx(bleu, abs=1e-12)
    assert np.abs(counts.per_image() - np.array(per_image).T).max() < 1e-12
    assert np.abs(cider_d(predictions, references) - official.Cider().compute_score(*given)[1]).max() < 1e-12
    assert np.abs(rouge_l(predictions, references) - Rouge().compute_score(*given)[1]).max() < 1e-12


def test_a_resample_counts_an_image_as_often_as_it_was_drawn():
    predictions, references = ["a b c d", "a b"], [["a b c e"], ["a x"]]
    scores = score_captions(predictions, references, tokenize=False)
    drawn = scores.summary(np.array([0, 0, 1]))
    twice = bleu_counts([*predictions[:1], *predictions], [*references[:1], *references])
    assert [drawn[f"Bleu_{n}"] for n in range(1, 5)] == pytest.approx(list(twice.scores()))
    assert drawn["ROUGE_L"] == pytest.approx(scores.rouge[[0, 0, 1]].mean())


def test_empty_captions_and_a_single_image_are_no_errors():
    scores = score_captions(["", "a"], [["", "a cat"], [""]])
    assert scores.rouge.tolist() == [1.0, 0.0]
    assert scores.bleu.guess[0].tolist() == [0, 0, 0, 0]
    assert scores.bleu.correct.sum() == 0
    assert cider_d(["a cat"], [["a cat"]]).tolist() == [0.0]


def test_missing_references_are_refused():
    with pytest.raises(SampleError):
        score_captions(["a"], [[]])
    with pytest.raises(SampleError):
        score_captions(["a", "b"], [["a"]])


@pytest.mark.skipif(not meteor_available(), reason="needs Java and pycocoevalcap")
def test_meteor_agrees_per_image_and_on_the_corpus():
    oracle = load_json("oracles", "captions_cases.json.gz")
    rows = oracle["rows"]
    scores = meteor([row[2] for row in rows], [row[3] for row in rows])
    assert np.abs(scores.per_image - np.array([row[5] for row in rows])).max() < ROUNDED
    assert scores.corpus == pytest.approx(oracle["corpus"]["METEOR"], abs=ROUNDED)


@pytest.mark.slow
@pytest.mark.skipif(not meteor_available(), reason="needs Java and pycocoevalcap")
def test_meteor_of_a_selection_of_segments_is_that_of_those_images_alone():
    predictions, references = ["a b c", "a dog runs", "x"], [["a b d"], ["the dog ran"], ["y"]]
    scores = meteor(predictions, references)
    alone = meteor(predictions[:2], references[:2])
    assert meteor_of_segments(scores.segments[:2]) == pytest.approx(alone.corpus, abs=1e-12)
