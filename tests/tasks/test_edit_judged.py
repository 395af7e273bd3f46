"""GEdit-Bench and ImgEdit-Bench: official layouts, the judge's questions, tables to the printed digit."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import evalsuite_tasks.edit_judged
import pytest
from PIL import Image as pil

from evalsuite.content import Image, Text
from evalsuite.errors import DataError, SpecError
from evalsuite.judging import Judged
from evalsuite.request import ImageResponse, TextResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered, Judgement, Sample, Scores, Task
from tests.goldens import load_json
from tests.judging.data import gedit, gedit_row, picture
from tests.tasks.asking import asked, build, wording, write_json

SC, PQ = '{"score": [8, 6], "reasoning": ""}', '{"score": [9, 10], "reasoning": ""}'


HEADER = [
    "source_image", "edited_image", "instruction", "sementics_score", "quality_score", "intersection_exist",
    "instruction_language",
]  # fmt: skip
NEEDED = "edited_image,sementics_score,quality_score,instruction_language"


def edited(sample: Sample, *runs: Sequence[str]) -> Answered:
    """An answer of another size than the source, with what the judge said in each run."""
    told = tuple(tuple(Judgement(text) for text in said) for said in runs)
    return Answered(sample, (ImageResponse((Image(picture(64, 64)),)),), told)


def judged(task: Task) -> Judged:
    assert isinstance(task, Judged)
    return task


def gedit_task(folder: Path, **options: Any) -> tuple[Judged, Sample]:
    rows = [
        gedit_row("a", "color_alter", "make it <red>"),
        gedit_row("a", "color_alter", "弄红", language="cn"),
    ]
    task = judged(build("gedit-bench-en", gedit(folder, rows), **options))
    return task, next(task.samples())


def values(scores: Scores) -> dict[str, float]:
    return {f"{e.metric.name} {e.group}".strip(): e.value for e in estimate(scores, resamples=20)}


# GEdit-Bench


def test_a_language_is_a_task_and_asks_with_the_raw_image(tmp_path: Path) -> None:
    task, sample = gedit_task(tmp_path)
    assert [s.id for s in task.samples()] == ["a"]
    assert sample.labels == {"type": "color_alter", "subset": "intersection"}
    assert wording(asked(task, sample)) == "<image>make it <red>"
    (given,) = asked(task, sample).images
    assert pil.open(io.BytesIO(given.read())).size == (80, 48)  # the judge is shown one of 40 × 24
    (chinese,) = build("gedit-bench-cn", tmp_path).samples()
    assert chinese.record.instruction == "弄红"
    gedit(tmp_path / "half", [gedit_row("a", "color_alter")])
    with pytest.raises(DataError, match="no instruction in the language 'cn'"):
        list(build("gedit-bench-cn", tmp_path / "half").samples())


def test_viescores_wording_is_the_official_one() -> None:
    prompts = json.loads((Path(evalsuite_tasks.edit_judged.__path__[0]) / "viescore.json").read_text())
    digests = {name: hashlib.sha256(prompts[name].encode()).hexdigest() for name in ("semantics", "quality")}
    # Of SC_prompt and PQ_prompt as GEdit-Bench/viescore/__init__.py joins them.
    assert digests == {
        "semantics": "8f529562c2f89f8db51a3f7cc4d487686f676909c21010b67b0e65ec78150de5",
        "quality": "2473ff2c7406e06545c5c039ceb039ff2604ebacf150868a48f0bf07c9e733b0",
    }


def test_the_judge_sees_source_and_result_then_the_result_alone_both_in_the_sources_size(
    tmp_path: Path,
) -> None:
    task, sample = gedit_task(tmp_path)
    one = edited(sample)
    for said, count in (((), 2), ((Judgement(SC),), 1)):
        chat = task.question(one, said)
        assert chat is not None
        assert (chat.max_tokens, chat.temperature) == (1400, None)
        sent = task.prepared(one, chat)
        text, *shown_images = sent.messages[0].parts
        assert isinstance(text, Text)
        assert text.text.endswith("Editing instruction: make it <red>\n") == (count == 2)
        shown = [pil.open(io.BytesIO(image.read())) for image in shown_images if isinstance(image, Image)]
        assert [(image.format, image.size) for image in shown] == [("JPEG", (40, 24))] * count
    assert task.question(one, (Judgement(SC), Judgement(PQ))) is None


def test_a_source_that_lies_on_its_side_is_shown_upright(tmp_path: Path) -> None:
    exif = pil.Exif()
    exif[0x0112] = 6
    row = gedit_row("a", "color_alter")
    row["input_image"]["bytes"] = picture(kind="JPEG", exif=exif)
    task = judged(build("gedit-bench-en", gedit(tmp_path, [row])))
    one = edited(next(task.samples()))
    chat = task.question(one, ())
    assert chat is not None
    shown_images = [p for p in task.prepared(one, chat).messages[0].parts if isinstance(p, Image)]
    assert [pil.open(io.BytesIO(image.read())).size for image in shown_images] == [(24, 40)] * 2


def test_qwen_is_shown_lossless_images_before_the_text(tmp_path: Path) -> None:
    task, sample = gedit_task(tmp_path, rules="qwen2.5-vl")
    one = edited(sample)
    chat = task.question(one, ())
    assert chat is not None
    assert (chat.max_tokens, chat.temperature, task.judge) == (512, 0.0, "Qwen/Qwen2.5-VL-72B-Instruct-AWQ")
    parts = task.prepared(one, chat).messages[0].parts
    assert isinstance(parts[-1], Text)
    assert [pil.open(io.BytesIO(p.read())).format for p in parts if isinstance(p, Image)] == ["PNG", "PNG"]


def test_the_least_score_counts_and_the_root_of_their_product(tmp_path: Path) -> None:
    task, sample = gedit_task(tmp_path)
    (row,) = task.score([edited(sample, (SC, PQ))]).rows
    assert row.values == pytest.approx({"G_SC": 6.0, "G_PQ": 9.0, "G_O": 54**0.5})
    (row,) = task.score([edited(sample, (SC, PQ), ('{"score": [4, 4]}', PQ))]).rows
    assert row.values["G_SC"] == 5.0  # mean over the judge's runs


@pytest.mark.parametrize("unread", ["", "hm", '{"reasoning": "no scores"}', '{"score": ["a", "b"]}'])
def test_both_are_asked_again_once_and_then_it_is_a_failure_not_a_random_score(
    tmp_path: Path, unread: str
) -> None:
    task, sample = gedit_task(tmp_path)
    one = edited(sample)

    def more(*said: str) -> bool:
        return task.question(one, tuple(Judgement(text) for text in said)) is not None

    assert more(SC, unread)
    assert more(SC, unread, SC)
    assert not more(SC, unread, SC, PQ)
    assert not more(SC, unread, SC, unread)
    (good,) = task.score([edited(sample, (unread, PQ, SC, PQ))]).rows
    assert good.values["G_SC"] == 6.0
    (bad,) = task.score([edited(sample, (SC, unread, SC, unread))]).rows
    assert "cannot be read" in bad.failure
    assert not bad.values


def test_what_cannot_be_judged_or_was_not_has_a_reason(tmp_path: Path) -> None:
    task, sample = gedit_task(tmp_path)
    told = ((Judgement(SC), Judgement(PQ)),)
    cases = {
        "not an image": Answered(sample, (TextResponse("no"),), told),
        "got 2": Answered(sample, (ImageResponse((Image(picture()),) * 2),), told),
        "gave nothing: timed out": Answered(
            sample, edited(sample).responses, ((Judgement(failure="timed out"),),)
        ),
    }
    for reason, one in cases.items():
        (row,) = task.score([one]).rows
        assert reason in row.failure
    half = task.score([edited(sample, (SC,)), edited(sample, (SC, PQ))])
    assert [(row.failure, bool(row.values)) for row in half.rows] == [("", False), ("", True)]
    assert next(e.n for e in estimate(half, resamples=20) if e.metric.name == "G_O") == 1
    unseen = task.score([edited(sample)])
    assert unseen.rows[0].failure == ""
    assert "evalsuite judge RUN --task gedit-bench-en --judge gpt-4.1" in unseen.missing["G_O"]


def test_gedits_tables_equal_the_printed_ones_from_the_official_scores(tmp_path: Path) -> None:
    oracle = load_json("oracles", "editing_cases.json.gz")["gedit_statistics"]
    rows, scores = [], []
    for kind, table in oracle["tables"].items():
        for i, (_, _, _, semantics, quality, common, language) in enumerate(table):
            rows.append(gedit_row(f"{kind}-{i}", kind, language=language, common=common))
            path = f"results/m/fullset/{kind}/{language}/{kind}-{i}.png"
            scores.append(["s", path, "i", semantics, quality, common, language])
    grades = tmp_path / "m_combined_gpt_score.csv"
    with grades.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerows(scores)
    options = {"grades": str(grades), "judge": "gpt-4.1"}
    task = build("gedit-bench-en", gedit(tmp_path / "data", rows), options=options)
    assert task.info.judge == "gpt-4.1"
    found = values(task.score([edited(sample) for sample in task.samples()]))
    section = ""
    checked = 0
    for line in oracle["stdout_en"].splitlines():
        if line in ("Overall:", "Intersection:"):
            section = "subset=intersection" if line == "Intersection:" else ""
        name, _, numbers = line.partition(": ")
        if not numbers:
            continue
        group = ", ".join(part for part in (section, "" if "Average" in name else f"type={name}") if part)
        ours = ", ".join(f"{found[f'{metric} {group}'.strip()]:.3f}" for metric in ("G_SC", "G_PQ", "G_O"))
        assert ours == numbers, line
        checked += 1
    assert checked == 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("edited_image,quality_score", "no column 'sementics_score'"),
        (f"{NEEDED}\na.png,11,2,en", "'11' is not a score"),
        (f"{NEEDED}\na.png,nan,2,en", "'nan' is not a score"),
        (f"{NEEDED}\na.png,1,2,zh", "language 'en'"),
        (f"{NEEDED}\na.png,1,2,en\na.png,1,2,en", "twice"),
    ],
)
def test_malformed_scores_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "scores.csv").write_text(text)
    task, sample = gedit_task(tmp_path, options={"grades": str(tmp_path / "scores.csv"), "judge": "x"})
    with pytest.raises(DataError, match=message):
        task.score([edited(sample)])


def test_grades_need_a_judge(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="grades and judge belong together"):
        gedit_task(tmp_path, options={"grades": "x.csv"})


SCALE = {
    "hundred": '{"score": [80, 90], "reasoning": "percent"}',
    "one of two": '{"score": [8], "reasoning": "x"}',
    "a bare number": "8",
    "three": '{"score": [8, 9, 7]}',
    "true": '{"score": [true, 9]}',
    "negative": '{"score": [-1, 9]}',
}


@pytest.mark.parametrize("reply", SCALE.values(), ids=SCALE)
@pytest.mark.parametrize("rules", ["official", "qwen2.5-vl"])
def test_scores_off_the_scale_or_incomplete_are_a_failed_judgement_never_a_number(
    tmp_path: Path, reply: str, rules: str
) -> None:
    task, sample = gedit_task(tmp_path, rules=rules)
    for said in ((reply, PQ) * 2, (SC, reply) * 2):
        (row,) = task.score([edited(sample, said)]).rows
        assert row.values == {}
        assert row.failure.startswith(("the judge gave ", "a score of the judge is ", "the judge's scores"))


def test_the_unchecked_rules_give_the_official_number(tmp_path: Path) -> None:
    task, sample = gedit_task(tmp_path, rules="official-unchecked")
    assert task.judge == "gpt-4.1"
    (row,) = task.score([edited(sample, (SCALE["hundred"], "8"))]).rows
    assert row.values == pytest.approx({"G_SC": 80.0, "G_PQ": 8.0, "G_O": 640**0.5})
    scores = tmp_path / "scores.csv"
    scores.write_text(f"{NEEDED}\na.png,80,90,en")
    options = {"grades": str(scores), "judge": "x"}
    task, sample = gedit_task(tmp_path, rules="qwen2.5-vl-unchecked", options=options)
    (row,) = task.score([edited(sample)]).rows
    assert row.values["G_SC"] == 80.0


# ImgEdit-Bench

LINES = "Prompt Compliance: 5\nVisual Naturalness: 3\nPhysical & Detail Integrity: 1"


@pytest.mark.parametrize(
    ("reply", "official"),
    [
        ("Prompt Compliance: 5\nVisual Naturalness: **3**\nPhysical & Detail Integrity: 1/5", 5.0),
        (f"Estimated year: 1998\n{LINES}", 501.75),
        (LINES.replace(": 5", ": 50"), 18.0),
        (LINES.replace(": 1", ": 0"), 2.67),
        (f"{LINES}\nPrompt Compliance: 4", 3.25),
        (LINES.replace("Visual Naturalness", "Prompt compliance"), 3.0),
        ("Brief reasoning: 4\nPrompt Compliance: 5\nVisual Naturalness: 3", 4.0),
        ("**Prompt Compliance:** 5", None),
    ],
)
def test_imgedit_counts_three_criteria_from_1_to_5_and_nothing_else(
    tmp_path: Path, reply: str, official: float | None
) -> None:
    data = imgedit(tmp_path, {"7": "add", "8": "add"})
    for rules, value in (("official", None), ("official-unchecked", official)):
        task = judged(build("imgedit-bench", data, rules=rules))
        first, second = task.samples()
        bad, good = task.score([edited(first, (reply,)), edited(second, (LINES,))]).rows
        assert bad.values == ({} if value is None else {"score": value})
        assert bool(bad.failure) == (value is None)
        assert good.values == {"score": 3.0}


TAR_NAMES = ("singleturn.json", "judge_prompt.json")


def imgedit(root: Path, items: dict[str, str], names: tuple[str, str] = TAR_NAMES) -> Path:
    """Its folder; `items` is key -> type of edit."""
    edits = {
        key: {"id": "animal/1.jpg", "prompt": f"edit {key}", "edit_type": kind} for key, kind in items.items()
    }
    write_json(root / names[0], edits)
    prompts = {kind: f"Rate this {kind}: <edit_prompt>. Thanks." for kind in items.values()}
    write_json(root / names[1], prompts)
    (root / "animal").mkdir(exist_ok=True)
    (root / "animal" / "1.jpg").write_bytes(picture(kind="JPEG"))
    return root


@pytest.mark.parametrize(
    "names", [("singleturn.json", "judge_prompt.json"), ("basic_edit.json", "prompts.json")]
)
def test_imgedits_judge_gets_the_users_prompt_and_both_images_as_they_are(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    task = judged(build("imgedit-bench", imgedit(tmp_path, {"7": "add"}, names)))
    (sample,) = task.samples()
    assert wording(asked(task, sample)) == "<image>edit 7"
    one = edited(sample)
    chat = task.question(one, ())
    assert chat is not None
    sent = task.prepared(one, chat)
    text, source, result = sent.messages[0].parts
    assert text == Text("Rate this add: edit 7. Thanks.")
    assert [image.read() for image in (source, result) if isinstance(image, Image)] == [
        picture(kind="JPEG"), picture(64, 64),
    ]  # fmt: skip
    assert (sent.max_tokens, sent.temperature) == (None, None)
    assert task.question(one, (Judgement("Brief reasoning: fine.\nSeamlessness: 4"),)) is None


def test_imgedits_types_equal_the_official_ones(tmp_path: Path) -> None:
    oracle = load_json("oracles", "editing_cases.json.gz")["imgedit"]
    kinds = {key: meta["edit_type"] for key, meta in oracle["meta"].items() if key in oracle["judge_outputs"]}
    data = imgedit(tmp_path / "data", kinds)
    told = build("imgedit-bench", data, rules="official-unchecked")
    answers = [edited(sample, (oracle["judge_outputs"][sample.id],)) for sample in told.samples()]
    file = write_json(tmp_path / "result.json", oracle["judge_outputs"])
    options = {"grades": str(file), "judge": "gpt-4o"}
    given = build("imgedit-bench", data, options=options, rules="official-unchecked")
    for checked in (build("imgedit-bench", data), build("imgedit-bench", data, options=options)):
        for row in checked.score(answers).rows:
            whole = re.fullmatch(
                r"[^:\n]*\n?([^:\n]+: [1-5](\r?\n|$)){3}", oracle["judge_outputs"][row.id].replace("- ", "")
            ) or row.id in ("0", "11")
            assert row.values == ({"score": oracle["per_item"][row.id]} if whole else {}), row
            assert bool(row.failure) == (not whole)
    for scores in (told.score(answers), given.score(answers)):
        for row in scores.rows:
            expected = oracle["per_item"][row.id]
            assert row.values == ({"score": expected} if isinstance(expected, float) else {})
            assert bool(row.failure) == (not isinstance(expected, float))
        found = values(scores)
        ours = {
            group.removeprefix("score type="): value for group, value in found.items() if "type=" in group
        }
        assert ours == oracle["type_scores"]
        assert found["score"] == pytest.approx(sum(ours.values()) / len(ours))


def test_a_type_without_a_prompt_names_the_file(tmp_path: Path) -> None:
    task = judged(build("imgedit-bench", imgedit(tmp_path, {"7": "add"})))
    write_json(tmp_path / "judge_prompt.json", {"remove": "x"})
    with pytest.raises(DataError, match=r"judge_prompt\.json has no field 'add'"):
        task.question(edited(next(task.samples())), ())
