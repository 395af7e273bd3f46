"""Caption scores against the installed pycocoevalcap, and their edges; recorded cases are in tests/golden."""

from __future__ import annotations

import numpy as np
import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.captions import bleu_counts, cider_d, rouge_l, score_captions
from evalsuite.metrics.meteor import meteor, meteor_available


def test_generated_captions_score_as_the_installed_official_code() -> None:
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


def test_a_resample_counts_an_image_as_often_as_it_was_drawn() -> None:
    predictions, references = ["a b c d", "a b"], [["a b c e"], ["a x"]]
    scores = score_captions(predictions, references, tokenize=False)
    drawn = scores.summary(np.array([0, 0, 1]))
    twice = bleu_counts([*predictions[:1], *predictions], [*references[:1], *references])
    assert [drawn[f"Bleu_{n}"] for n in range(1, 5)] == pytest.approx(list(twice.scores()))
    assert drawn["ROUGE_L"] == pytest.approx(scores.rouge[[0, 0, 1]].mean())


def test_empty_captions_and_a_single_image_are_no_errors() -> None:
    scores = score_captions(["", "a"], [["", "a cat"], [""]])
    assert scores.rouge.tolist() == [1.0, 0.0]
    assert scores.bleu.guess[0].tolist() == [0, 0, 0, 0]
    assert scores.bleu.correct.sum() == 0
    assert cider_d(["a cat"], [["a cat"]]).tolist() == [0.0]


def test_missing_references_are_refused() -> None:
    with pytest.raises(SampleError):
        score_captions(["a"], [[]])
    with pytest.raises(SampleError):
        score_captions(["a", "b"], [["a"]])


@pytest.mark.slow
@pytest.mark.skipif(not meteor_available(), reason="needs Java and pycocoevalcap")
def test_one_java_process_serves_several_sets_and_is_replaced_when_it_dies() -> None:
    from evalsuite.metrics import meteor as module

    sets = (["a b c"], [["a b d"]]), (["a dog runs", "x"], [["the dog ran"], ["y"]])
    first = [meteor(*given).corpus for given in sets]
    (program,) = module._running
    assert [meteor(*given).corpus for given in sets] == first
    assert module._running == [program]
    program.close()
    assert meteor(*sets[0]).corpus == first[0]
    assert module._running != [program]
