"""Real result sets with their official scores: BLEU's counts exactly, scores to the digits that are given.

`official_scores.json` names a set as `a/b/c`: predictions `preds_a_b.json`, references `refs_c.json` (or
`refs_a_c`, `refs_a`). METEOR of thousands of images takes minutes and is compared where EVALSUITE_GOLDEN asks
for a folder, else for the sets of at most a thousand images.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.captions import CaptionScores, score_captions
from evalsuite.metrics.meteor import meteor, meteor_available
from evalsuite.metrics.ptb import tokenize_captions
from tests.goldens import case_files, find_support, is_object, read_json, read_text

Compared = Callable[[str, int], None]
OFFICIAL = case_files("official_scores*.json*", "captions/expected*.json*")


def _sets(path: Path) -> list[str]:
    """The sets that a file names; of a file of another form one without a name."""
    found = read_json(path) if is_object(path) else {}
    return [key for key, value in found.items() if isinstance(value, dict)] or [""]


SETS = [(path, key) for path in OFFICIAL for key in _sets(path)]
FEW = 1000


def _files(folder: Path, key: str) -> tuple[Path, Path] | None:
    first, second, third = [*key.split("/"), "", ""][:3]
    predictions = [f"preds_{first}_{second}.json", f"preds_{first}_{second}_{third}.json"]
    references = [f"refs_{third}.json", f"refs_{first}_{third}.json", f"refs_{first}.json"]
    found = []
    for names in (predictions[::-1], references):
        beside = [folder / (name + end) for name in names for end in ("", ".gz")]
        place = next((path for path in beside if path.is_file()), None)
        place = place or find_support(folder.name, *names)
        if place is None:
            return None
        found.append(place)
    return found[0], found[1]


def _read(predictions: Path, references: Path, domain: str) -> tuple[list[str], list[list[str]]]:
    """In the order of the reference file; of a file with domains (NoCaps) only the one that is named."""
    data = read_json(references)
    wanted = domain if domain in ("in", "near", "out") else ""
    kept = {image["id"] for image in data["images"] if str(image.get("domain") or wanted).startswith(wanted)}
    captions: dict[Any, list[str]] = {}
    for annotation in data["annotations"]:
        if annotation["image_id"] in kept:
            captions.setdefault(annotation["image_id"], []).append(annotation["caption"])
    said = {row["image_id"]: row["caption"] for row in read_json(predictions)}
    return [said[image] for image in captions], list(captions.values())


def _compare(scores: CaptionScores, official: Mapping[str, Any]) -> None:
    summary = scores.summary()
    known = [name for name in summary if name in official]
    if not known and "bleu_stats" not in official:
        pytest.skip(f"of {', '.join(official)} none is a score that is computed here")
    for name in known:
        assert summary[name] == pytest.approx(official[name], abs=_tolerance(official[name])), name
    counts = scores.bleu
    if "bleu_stats" in official:
        assert official["bleu_stats"] == {
            "testlen": counts.prediction_length.sum(),
            "reflen": counts.reference_length.sum(),
            "guess": counts.guess.sum(axis=0).tolist(),
            "correct": counts.correct.sum(axis=0).tolist(),
        }


def _tolerance(value: float) -> float:
    """Full precision to 1e-9, rounded values to half their last digit."""
    digits = len(str(value).partition(".")[2])
    return 1e-9 if digits > 8 else 0.5001 * 10.0**-digits


@pytest.mark.parametrize(("path", "key"), SETS, ids=[key for _, key in SETS])
def test_real_result_sets_give_the_official_scores(path: Path, key: str, compared: Compared) -> None:
    if not key:
        pytest.skip(f"{path.name} has no scores by the name of a set")
    files = _files(path.parent, key)
    if files is None:
        pytest.skip(f"the files of {key} are not beside {path.name}")
    predictions, references = _read(*files, domain=re.split(r"[/_]", key)[-1])
    official = read_json(path)[key]
    _compare(score_captions(predictions, references), official)
    compared("captions: real result sets, images", len(predictions))
    if "METEOR" not in official or not meteor_available():
        return
    if len(predictions) > FEW and not os.environ.get("EVALSUITE_GOLDEN"):
        return
    flat = iter(tokenize_captions(reference for image in references for reference in image))
    tokens = [[next(flat) for _ in image] for image in references]
    found = meteor(tokenize_captions(predictions), tokens).corpus
    assert found == pytest.approx(official["METEOR"], abs=_tolerance(official["METEOR"]))
    compared("captions: METEOR of real result sets, images", len(predictions))


NLGEVAL = case_files("nlgeval/**/*.json*")


@pytest.mark.parametrize("path", NLGEVAL, ids=lambda path: path.name)
def test_untokenised_texts_score_as_nlg_eval(path: Path, compared: Compared) -> None:
    """A JSON file of expected values beside `hyp*.txt` and `ref*.txt`, one text a line."""
    expected = read_json(path) if is_object(path) else {}
    if not any(isinstance(value, float) for value in expected.values()):
        pytest.skip(f"{path.name} has no scores by name")
    hypotheses = sorted(path.parent.glob("hyp*.txt*"))
    references = [read_text(file).splitlines() for file in sorted(path.parent.glob("ref*.txt*"))]
    if not hypotheses or not references:
        pytest.skip(f"there is no hyp*.txt with ref*.txt beside {path.name}")
    said = [line.strip() for line in read_text(hypotheses[0]).splitlines()]
    images = [[line.strip() for line in lines] for lines in zip(*references, strict=True)]
    _compare(score_captions(said, images, tokenize=False), expected)
    compared("captions: nlg-eval's texts", len(said))
