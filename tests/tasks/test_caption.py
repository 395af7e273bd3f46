"""Captioning: official files in, official scores out; what cannot be scored is a failure or a named gap."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import evalsuite_tasks
import numpy as np
import pytest
import yaml

from evalsuite.content import Text
from evalsuite.errors import DataError, SpecError, UnavailableError
from evalsuite.metrics.meteor import meteor_available
from evalsuite.request import GenerateText, ImageResponse, TextResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered, Sample, Task, TaskEntry
from evalsuite.task.entry import TaskOptions
from tests.goldens import load_json
from tests.tasks.image_files import ENTRIES, build, failures, values, world

_REAL = "coco-caption-2014-val"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory.mktemp("world") / "w", edits=2)


def answer(sample: Sample, text: str) -> Answered:
    return Answered(sample, (TextResponse(text),))


def babble(samples: list[Sample], seed: int = 0) -> list[str]:
    """Captions between right and wrong: another image's caption, or one's own with a word gone."""
    random = np.random.RandomState(seed)
    said = []
    for sample in samples:
        source = sample if random.rand() < 0.6 else samples[random.randint(len(samples))]
        words = source.record.captions[random.randint(5)].split()
        said.append(" ".join(words[: random.randint(1, len(words) + 1)]).capitalize() + ".")
    return said


def test_scores_are_those_of_pycocotools_and_pycocoevalcap(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("pycocoevalcap")
    coco = pytest.importorskip("pycocotools.coco")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    from evalsuite.metrics.ptb import tokenize_captions

    task = build(_REAL, data, metrics="CIDEr,BLEU-1,BLEU-2,BLEU-3,BLEU-4,ROUGE-L")
    samples = list(task.samples())
    said = babble(samples)
    results = tmp_path / "results.json"
    results.write_text(
        json.dumps([{"image_id": int(s.id), "caption": text} for s, text in zip(samples, said, strict=True)])
    )
    truth = coco.COCO(str(data / "annotations/captions_val2014.json"))
    found = truth.loadRes(str(results))
    # PTBTokenizer's own program is compared in tests/metrics; here our tokens go into the official scorers.
    references = {i: [a["caption"] for a in truth.imgToAnns[i]] for i in truth.getImgIds()}
    flat = iter(tokenize_captions(text for texts in references.values() for text in texts))
    gts = {i: [next(flat) for _ in texts] for i, texts in references.items()}
    flat = iter(tokenize_captions(found.imgToAnns[i][0]["caption"] for i in gts))
    res = {i: [next(flat)] for i in gts}

    scores = task.score([answer(s, text) for s, text in zip(samples, said, strict=True)])
    ours, rows = values(scores), {row.id: row.values for row in scores.rows}
    bleu, bleus = Bleu(4).compute_score(gts, res, verbose=0)
    cider, ciders = Cider().compute_score(gts, res)
    rouge, rouges = Rouge().compute_score(gts, res)
    assert ours["CIDEr"] == pytest.approx(cider, abs=1e-9)
    assert ours["ROUGE-L"] == pytest.approx(rouge, abs=1e-9)
    for n in range(4):
        assert ours[f"BLEU-{n + 1}"] == pytest.approx(bleu[n], abs=1e-9)
    for i, image_id in enumerate(gts):
        row = rows[str(image_id)]
        assert row["CIDEr"] == pytest.approx(ciders[i], abs=1e-9)
        assert row["ROUGE-L"] == pytest.approx(rouges[i], abs=1e-9)
        assert row["BLEU-4"] == pytest.approx(bleus[3][i], abs=1e-9)


def test_vlmevalkits_rules_compare_captions_as_they_are_and_lmms_evals_as_officially(data: Path) -> None:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    def ruled(rules: str, metrics: str) -> Task:
        options = TaskOptions(data=data, rules=rules, options={"metrics": metrics})
        made: Task = ENTRIES[_REAL].build(options)
        return made

    official, lmms = ruled("official", "CIDEr"), ruled("lmms-eval", "CIDEr")
    theirs = ruled("vlmevalkit", "CIDEr,BLEU-4,ROUGE-L,METEOR")
    samples = list(theirs.samples())
    said = [text.capitalize() + ", they say." for text in babble(samples)]
    answers = [answer(s, text) for s, text in zip(samples, said, strict=True)]
    gts = {s.id: list(s.record.captions) for s in samples}
    res = {s.id: [text] for s, text in zip(samples, said, strict=True)}
    scores = theirs.score(answers)
    found = values(scores)
    assert found["BLEU-4"] == pytest.approx(Bleu(4).compute_score(gts, res, verbose=0)[0][3], abs=1e-12)
    assert found["CIDEr"] == pytest.approx(Cider().compute_score(gts, res)[0], abs=1e-12)
    assert found["ROUGE-L"] == pytest.approx(Rouge().compute_score(gts, res)[0], abs=1e-12)
    assert "rules 'vlmevalkit' have no METEOR" in scores.missing["METEOR"]
    assert values(official.score(answers))["CIDEr"] == values(lmms.score(answers))["CIDEr"] != found["CIDEr"]


def test_meteor_of_a_subset_is_aggregated_as_the_program_does() -> None:
    from evalsuite_tasks.caption.meteor import aggregate, total

    # Lines of `meteor-1.5.jar -stdio` and its answers to EVAL: matches by word, stem, synonym and paraphrase.
    lines = [
        "7 8 3 3 4 4 3 3 0 0 0 0 0 0 0 0 0 0 0 0 2 7 7",
        "3 1 1 0 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1",
        "4 3 2 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 1 2 2",
        "6 9 3 3 3 3 1 1 0 0 0 0 0 0 0 0 0 1 1 1 2 5 6",
        "3 4 3 2 0 0 2 2 0 0 0 0 0 0 0 0 0 0 0 0 2 2 2",
        "1 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
    ]
    statistics = np.array([[float(value) for value in line.split()] for line in lines])
    alone = [0.45553647, 0.33333333, 0.26722778, 0.31684042, 0.11034483, 0.0]
    np.testing.assert_allclose([aggregate(row) for row in statistics], alone, atol=1e-8)
    for chosen, expected in (
        ([0, 1, 2, 3, 4, 5], 0.2899799105079547), ([0, 1], 0.43138251161262325),
        ([2, 3, 3, 3], 0.31070253967453043), ([4, 5], 0.0625), ([0, 0, 1, 5], 0.3865698774496594),
    ):  # fmt: skip
        assert aggregate(total(statistics[chosen])) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(not meteor_available(), reason="METEOR needs Java and pycocoevalcap")
def test_meteor_is_pycocoevalcaps(data: Path) -> None:
    from pycocoevalcap.meteor.meteor import Meteor

    from evalsuite.metrics.ptb import tokenize_captions

    task = build(_REAL, data, metrics="CIDEr,METEOR")
    samples = list(task.samples())
    said = babble(samples)
    flat = iter(tokenize_captions(text for s in samples for text in s.record.captions))
    gts = {s.id: [next(flat) for _ in s.record.captions] for s in samples}
    res = {s.id: [text] for s, text in zip(samples, tokenize_captions(said), strict=True)}
    expected, _ = Meteor().compute_score(gts, res)
    scores = task.score([answer(s, text) for s, text in zip(samples, said, strict=True)])
    assert values(scores)["METEOR"] == pytest.approx(expected, abs=1e-9)
    assert "METEOR" not in scores.missing


def test_meteor_without_java_is_missing_with_its_reason_and_the_rest_is_scored(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    task = build(_REAL, data)
    samples = list(task.samples())
    scores = task.score([answer(s, s.record.captions[0]) for s in samples])
    assert "no `java` on the PATH" in scores.missing["METEOR"]
    assert "METEOR" not in values(scores)
    assert values(scores)["BLEU-4"] == pytest.approx(1.0)


def test_the_golden_corpus_has_its_published_scores(tmp_path: Path) -> None:
    """600 adversarial images, official scores of the whole set, through files in COCO's layout."""
    golden = load_json("oracles", "captions_cases.json.gz")
    images: list[Any] = []
    annotations: list[Any] = []
    said: dict[Any, Any] = {}
    for number, row in enumerate(golden["rows"], start=1):
        said[str(number)], references = row[0], row[1]
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 1, "height": 1})
        for text in references:
            annotations.append({"image_id": number, "id": len(annotations), "caption": text})
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/captions_val2014.json").write_text(
        json.dumps({"images": images, "annotations": annotations})
    )
    task = build(_REAL, tmp_path, protocol="llava-1.5", metrics="CIDEr,BLEU-4,ROUGE-L")
    scores = task.score([answer(s, said[s.id]) for s in task.samples()])
    found = values(scores)
    assert found["CIDEr"] == pytest.approx(golden["corpus"]["CIDEr"], abs=1e-9)
    assert found["BLEU-4"] == pytest.approx(golden["corpus"]["Bleu"][3], abs=1e-9)
    assert found["ROUGE-L"] == pytest.approx(golden["corpus"]["ROUGE_L"], abs=1e-9)


def test_karpathys_file_gives_the_same_samples_as_cocos(data: Path) -> None:
    karpathy = list(build("coco-caption-karpathy", data).samples())
    official = list(build(_REAL, data).samples())
    assert [(s.id, s.record.captions) for s in karpathy] == [(s.id, s.record.captions) for s in official]
    assert [s.record.image.sha256() for s in karpathy] == [s.record.image.sha256() for s in official]


def test_dreamllms_protocol_is_word_for_word_upstreams(data: Path) -> None:
    task = build(_REAL, data, metrics="CIDEr", protocol="dreamllm")
    sample = next(iter(task.samples()))
    request = task.request(sample)
    assert request is not None
    # Upstream's "system prompt" stands inside the user's turn, before the image; Vicuna's own text stays.
    (turn,) = request.messages
    assert turn.parts == (
        Text("Based on the image, give the image caption briefly."),
        sample.record.image,
        Text("Please summarize object in one sentence within 10 words."),
    )
    assert request.prefill == "The image depicts"
    assert isinstance(request.output, GenerateText)
    assert (request.output.num_beams, request.output.length_normalization) == (5, "prompt+generated")
    scored = task.score([answer(sample, " a RED circle ")])
    assert scored.rows[0].parsed == "A red circle"
    assert task.request(sample, [TextResponse("a")]) is None


def test_the_miniature_breaks_down_by_things_and_held_out_combinations(data: Path) -> None:
    task = build("mini-coco-caption", data)
    samples = list(task.samples())
    found = values(task.score([answer(s, text) for s, text in zip(samples, babble(samples), strict=True)]))
    groups = {name.split(" ", 1)[1] for name in found if name.startswith("BLEU-4 ")}
    assert {"num_objects=1", "num_objects=2", "held_out=yes", "held_out=no"} <= groups
    held = [s.labels["held_out"] for s in samples]
    weighted = sum(found[f"CIDEr held_out={v}"] * held.count(v) for v in ("yes", "no")) / len(held)
    # Document frequencies stay the whole set's in a breakdown, so the parts make up the whole.
    assert weighted == pytest.approx(found["CIDEr"])


def test_intervals_hold_the_value_and_repeat_with_the_seed(data: Path) -> None:
    task = build("mini-coco-caption", data)
    samples = list(task.samples())
    scores = task.score([answer(s, text) for s, text in zip(samples, babble(samples), strict=True)])
    first, second = (estimate(scores, resamples=100, seed=3) for _ in range(2))
    assert first == second
    for one in first:
        if not one.group:
            assert one.low < one.value < one.high
            assert one.high - one.low > 0.01


def test_a_failed_image_is_out_of_the_corpus_on_both_sides(data: Path) -> None:
    task = build("mini-coco-caption", data)
    samples = list(task.samples())
    said = babble(samples)
    answers = [answer(s, text) for s, text in zip(samples, said, strict=True)]
    broken = [*answers]
    broken[3] = Answered(samples[3], (ImageResponse(()),))
    scores = task.score(broken)
    assert failures(scores) == {samples[3].id: "the answer is a ImageResponse, not text"}
    assert values(scores) == pytest.approx(values(task.score(answers[:3] + answers[4:])))


def test_an_empty_caption_scores_low_and_no_answers_score_nothing(data: Path) -> None:
    task = build("mini-coco-caption", data)
    samples = list(task.samples())
    scores = task.score([answer(samples[0], ""), *(answer(s, s.record.captions[1]) for s in samples[1:])])
    assert scores.rows[0].values["CIDEr"] == 0
    assert not failures(scores)
    assert task.score([]).rows == []


def test_a_missing_image_fails_alone(data: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(data, tmp_path / "copy")
    task = build("mini-coco-caption", copy)
    sample = next(iter(task.samples()))
    sample.record.image.path.unlink()
    again = next(iter(build("mini-coco-caption", copy).samples()))
    with pytest.raises(DataError, match=r"COCO_val2014_000000\d+.png"):
        again.record.image.read()


def test_unknown_columns_and_metrics_are_refused_by_name(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no metric 'CIDER'.*CIDEr"):
        build("mini-coco-caption", data, metrics="CIDER")
    from evalsuite.task.benchmark import entries

    source = Path(evalsuite_tasks.__file__).parent / "caption/mini-coco-caption.yaml"
    made = yaml.safe_load(source.read_text())
    made["metrics"] = [{"name": "BLEURT", "headline": True}]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(made))

    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    with pytest.raises(SpecError, match="'BLEURT' is not a caption score"):
        entry.build(TaskOptions(data=data))


def test_a_headline_that_cannot_be_computed_stops_the_run_before_it_starts(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from evalsuite.task.benchmark import entries
    from evalsuite.task.entry import TaskOptions

    source = Path(evalsuite_tasks.__file__).parent / "caption/mini-coco-caption.yaml"
    made = yaml.safe_load(source.read_text())
    made["metrics"] = [{"name": "METEOR", "headline": True}, {"name": "CIDEr"}]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(made))
    monkeypatch.setenv("PATH", str(tmp_path))
    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    with pytest.raises(UnavailableError, match=r"METEOR cannot be computed here.*metrics=CIDEr"):
        entry.build(TaskOptions(data=data))
    task = entry.build(TaskOptions(data=data, options={"metrics": "CIDEr"}))
    assert [metric.name for metric in task.info.metrics] == ["CIDEr"]


def test_declared_aggregations_stand_beside_the_corpus_scores(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from evalsuite.task.benchmark import entries

    source = Path(evalsuite_tasks.__file__).parent / "caption/mini-coco-caption.yaml"
    made = yaml.safe_load(source.read_text())
    made["metrics"] = [
        {"name": "by objects", "mean_over": "num_objects", "of": "CIDEr", "exceeds_one": True},
        {"name": "CIDEr", "headline": True},
        {"name": "both", "of": ["CIDEr", "METEOR"]},
        {"name": "METEOR"},
    ]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(made))
    monkeypatch.setenv("PATH", str(tmp_path))
    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    task = entry.build(TaskOptions(data=data))
    samples = list(task.samples())[:9]
    scores = task.score([answer(sample, sample.record.captions[0]) for sample in samples])
    by_objects: dict[str, list[float]] = {}
    for row in scores.rows:
        by_objects.setdefault(row.labels["num_objects"], []).append(row.values["CIDEr"])
    found = {s.metric.name: s for s in scores.statistics if not s.group}
    assert list(found) == ["by objects", "CIDEr"]
    function = found["by objects"].function
    assert function is not None
    means = [sum(values) / len(values) for values in by_objects.values()]
    assert function(np.arange(9)) == pytest.approx(sum(means) / len(means))
    assert scores.missing["both"].startswith("it needs METEOR: ")
