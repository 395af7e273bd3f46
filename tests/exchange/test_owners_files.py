"""Files as the benchmarks' and LLaVA's own scripts write them: other numbers, other orders, folders of
subjects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError
from evalsuite.exchange import import_predictions, recognize
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader
from tests.data.image_files import encoded
from tests.exchange.test_exchange import numbers
from tests.tasks.asking import write_json, write_table

THINGS = ("dog", "car", "cat", "bus")


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def question(thing: str) -> str:
    return f"Is there a {thing} in the image?"


def pope(root: Path, kind: str, things: tuple[str, ...] = THINGS) -> TaskSpec:
    """POPE's file; the first and third are there."""
    rows = [
        {"question_id": n, "image": "a.jpg", "text": question(thing), "label": "yes" if n % 2 else "no"}
        for n, thing in enumerate(things, start=1)
    ]
    lines(root / f"coco_pope_{kind}.json", rows)
    return TaskSpec(name=f"pope-{kind}", data=root)


@pytest.mark.parametrize(
    ("kind", "offset"), [("popular", 20_000_000), ("random", 10_000_000), ("adversarial", 0)]
)
def test_llavas_one_file_of_three_popes_is_read_by_its_numbers(
    kind: str, offset: int, tmp_path: Path
) -> None:
    spec = pope(tmp_path / "data", kind)
    mine = [
        {
            "question_id": offset + n,
            "prompt": f"{question(thing)}\nAnswer shortly.",
            "text": "Yes" if n % 2 else "No",
        }
        for n, thing in enumerate(THINGS, start=1)
    ]
    others = [
        {"question_id": other + n, "prompt": question("horse"), "text": "Yes"}
        for other in {0, 10_000_000, 20_000_000} - {offset}
        for n in range(1, 5)
    ]
    file = lines(tmp_path / "llava.jsonl", [*others, *mine])
    found = numbers(import_predictions(tmp_path / "run", spec, file, ignore_unknown=True))
    assert found["accuracy"] == 1.0
    with RunReader(tmp_path / "run") as run:
        assert run.counts()[spec.name].answered == 4
    with pytest.raises(DataError, match="has no question"):
        import_predictions(tmp_path / "other", spec, file)


def test_popes_own_file_in_another_order_is_refused_by_its_questions(tmp_path: Path) -> None:
    spec = pope(tmp_path / "data", "popular")
    rows = [
        {"question": question(thing), "answer": "Yes" if n % 2 else "No"}
        for n, thing in enumerate(THINGS, start=1)
    ]
    good = lines(tmp_path / "good.json", rows)
    assert numbers(import_predictions(tmp_path / "run", spec, good))["accuracy"] == 1.0
    swapped = lines(tmp_path / "swapped.json", [rows[1], rows[0], *rows[2:]])
    with pytest.raises(
        DataError, match=r"position 0 of pope-popular is 'Is there a dog.*asked 'Is there a car"
    ):
        import_predictions(tmp_path / "no", spec, swapped)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("form", ["vqa", "llava"])
def test_a_result_that_says_what_was_asked_is_compared_with_the_question(form: str, tmp_path: Path) -> None:
    spec = pope(tmp_path / "data", "adversarial")
    said = {"vqa": ("question", "answer"), "llava": ("question", "text")}[form]
    rows = [
        {"question_id": n, said[0]: question(thing), said[1]: "Yes"}
        for n, thing in enumerate(THINGS[::-1], start=1)
    ]
    file = tmp_path / f"a.{'json' if form == 'vqa' else 'jsonl'}"
    if form == "vqa":
        write_json(file, rows)
    else:
        lines(file, rows)
    assert recognize(file) == form
    with pytest.raises(DataError, match="the file asked 'Is there a bus"):
        import_predictions(tmp_path / "run", spec, file)


def test_llavas_lines_of_mmvet_are_numbered_from_0(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    (data / "images" / "a.png").write_bytes(encoded("PNG"))
    write_json(
        data / "mm-vet.json",
        {
            f"v1_{n}": {
                "imagename": "a.png",
                "question": f"What is {n}?",
                "answer": str(n),
                "capability": ["rec"],
            }
            for n in range(3)
        },
    )
    file = lines(
        tmp_path / "llava-mm-vet.jsonl",
        [{"question_id": n, "prompt": f"What is {n}?", "text": f"it is {n}"} for n in range(3)],
    )
    scored = import_predictions(tmp_path / "run", TaskSpec(name="mm-vet", data=data), file)
    assert not scored.errors
    with RunReader(tmp_path / "run") as run:
        said = {record.sample: record.response.text for record in run.records("mm-vet")}  # type: ignore[union-attr]
    assert said == {f"v1_{n}": f"it is {n}" for n in range(3)}


def mmmu(root: Path) -> TaskSpec:
    rows = [
        {
            "id": f"validation_{subject}_{n}", "question": f"Which of {n}?", "options": "['one', 'two']",
            "answer": "B", "question_type": "multiple-choice",
            **{f"image_{i}": None for i in range(2, 8)}, "image_1": {"bytes": encoded("PNG"), "path": None},
        }
        for subject in ("Art", "Math")
        for n in (1, 2)
    ]  # fmt: skip
    write_table(root / "data" / "validation-00000-of-00001.parquet", rows)
    return TaskSpec(name="mmmu-val", data=root)


def test_mmmus_outputs_of_all_subjects_are_one_import(tmp_path: Path) -> None:
    spec, outputs = mmmu(tmp_path / "data"), tmp_path / "llava1.5_13b"
    for subject in ("Art", "Math"):
        rows = [
            {
                "id": f"validation_{subject}_{n}", "question_type": "multiple-choice", "answer": "B",
                "all_choices": ["A", "B"], "index2ans": {"A": "one", "B": "two"},
                "response": "B" if n == 1 else "A",
            }
            for n in (1, 2)
        ]  # fmt: skip
        (outputs / subject).mkdir(parents=True)
        write_json(outputs / subject / "output.json", rows)
    assert recognize(outputs) == recognize(outputs / "Art" / "output.json") == "mmmu"
    found = numbers(import_predictions(tmp_path / "run", spec, outputs))
    assert found["accuracy"] == 0.5
    assert found["accuracy subject=Math"] == 0.5
    with RunReader(tmp_path / "run") as run:
        assert run.model_name == "llava1.5_13b"
    alone = outputs / "Art" / "output.json"
    with pytest.raises(DataError, match=r"no answer to question 'validation_Math_1'.*2 such"):
        import_predictions(tmp_path / "one", spec, alone)
    assert numbers(import_predictions(tmp_path / "part", spec, alone, partial=True))["accuracy"] == 0.5
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="a folder without <subject>/output"):
        recognize(tmp_path / "empty")
