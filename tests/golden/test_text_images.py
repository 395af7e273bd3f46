"""Text in images against the official scripts of LongText-Bench, OneIG-Bench, CVTG-2K and TIIF-Bench."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.text_images import (
    cvtg_words,
    longtext_clean,
    longtext_counts,
    oneig_reading,
    oneig_text_score,
    quoted_words,
    tiif_gned,
    tiif_recall,
)
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]


def _every(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(f"{name}_cases*.json*"), ids=lambda path: path.name)


def _cases(path: Path, *kinds: str) -> list[dict[str, Any]]:
    return [case for case in read_json(path)["cases"] if case["kind"] in kinds]


@_every("longtext-bench")
def test_longtext_bench_agrees(path: Path, compared: Compared) -> None:
    cleaned, summaries = _cases(path, "clean"), _cases(path, "summary")
    for case in cleaned:
        assert longtext_clean(case["input"]) == case["official"]
    for case in summaries:
        mode, official = case["input"]["mode"], case["official"]
        found = [longtext_counts(row["ocr_gt"], row["ocr_results"], mode) for row in case["input"]["rows"]]
        if "error" in official:
            assert not all(count for _, count in found)
            continue
        assert found == [(row["match_word_count"], row["gt_word_count"]) for row in official["rows"]]
        assert sum(a for a, _ in found) / sum(b for _, b in found) == pytest.approx(official["score"])
    compared("LongText-Bench", len(cleaned) + len(summaries))


@_every("oneig")
def test_oneig_text_agrees(path: Path, compared: Compared) -> None:
    cases, runs = _cases(path, "text"), _cases(path, "text-run")
    for case in cases:
        given, official = case["input"], case["official"]
        found = oneig_reading(given["truth"], given["read"])
        assert found.distance == official["distance"]
        assert [found.matched, found.words] == official["match"][::2]
    for case in runs:
        given, official = case["input"], case["official"]
        readings = [
            oneig_reading(given["truth"][key], text) for key, texts in given["read"].items() for text in texts
        ]
        scored = oneig_text_score(readings, 100 if given["mode"] == "EN" else 50)
        names = {"ED": "ED", "CR": "CR", "WAC": "WAC", "score": "text score"}
        assert scored == pytest.approx({ours: official[theirs] for ours, theirs in names.items()})
    compared("OneIG: text", len(cases) + len(runs))


def _lines(read: list[list[str] | None]) -> list[str]:
    return [line for page in read for line in page or ()]


@_every("cvtg-2k")
def test_cvtg_2k_agrees(path: Path, compared: Compared) -> None:
    cases, runs = _cases(path, "picture"), _cases(path, "benchmark")
    for case in cases:
        words, official = quoted_words(case["input"]["prompt"]), case["official"]
        found = cvtg_words(words, _lines(case["input"]["read"]))
        assert words == official["words"]
        assert (len(words), found.right) == (official["total"], official["right"])
        assert found.similarity == pytest.approx(official["similarity"])
    for case in runs:
        right, total = 0, 0
        similarity: list[float] = []
        for rows in case["input"].values():
            for row in rows:
                words = quoted_words(row["prompt"])
                found = cvtg_words(words, _lines(row["read"]))
                right, total = right + found.right, total + len(words)
                similarity += found.similarity
        official = case["official"]
        assert right / total == pytest.approx(_value(official, "accuracy"))
        assert sum(similarity) / len(similarity) == pytest.approx(_value(official, "ned"))
    compared("CVTG-2K", len(cases) + len(runs))


def _value(official: dict[str, Any], part: str) -> float:
    (found,) = [value for name, value in official.items() if part in name.lower()]
    return found


@_every("tiif")
def test_tiif_text_agrees(path: Path, compared: Compared) -> None:
    cases, files = _cases(path, "text"), _cases(path, "text-file")
    for case in cases:
        truth, read = case["input"]["truth"], case["input"]["read"]
        assert tiif_gned(truth, read) == pytest.approx(case["official"]["gned"])
        assert tiif_recall(truth, read) == pytest.approx(case["official"]["recall"])
    for case in files:
        for length in ("short", "long"):
            gned, recall = [], []
            for row in case["input"]:
                boxes = row[f"{length}_image_ocr_results"]
                read = [box[1][0].lower() for box in boxes] or [""]
                truth = [word.lower() for word in row["text"]]
                gned.append(tiif_gned(truth, read))
                recall.append(tiif_recall(truth, read))
            assert sum(gned) / len(gned) == pytest.approx(case["official"][f"GNED_score_{length}"])
            assert sum(recall) / len(recall) == pytest.approx(case["official"][f"Recall_score_{length}"])
    compared("TIIF-Bench: text", len(cases) + len(files))
