"""MME-Unify's editing with an explanation: which text and which image are nearest to the right ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.request import ImageResponse, TextResponse
from evalsuite.task import Answered
from tests.features.networks import write_clip
from tests.tasks.asking import asked, build, wording, write_json
from tests.tasks.tables import PHOTOS

FILE = "Image_Editing_and_Explaning/Unified_Explanation.json"
ROW: dict[str, Any] = {
    "question": "Add a fork.",
    "choice": ["D: a plate and a fork", "C: the sea", "B: cat", "A: dog a dog a dog"],
    "answer": "D",
    "data": {"image": "s.png", "edited_image": "e.png"} | {f"fake_image{k}": f"f{k}.png" for k in (1, 2, 3)},
}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("mme-unify")
    write_json(folder / FILE, [ROW])
    for n, name in enumerate(("s", "e", "f1", "f2", "f3")):
        (folder / f"{name}.png").write_bytes(PHOTOS[n % len(PHOTOS)])
    return build("mme-unify-edit-explain", folder, options={"weights": f"clip={write_clip(folder / 'clip')}"})


def values(task: Any, said: str, image: int) -> dict[str, float]:
    (sample,) = task.samples()
    responses = (TextResponse(said), ImageResponse((Image(PHOTOS[image]),)))
    (row,) = task.score([Answered(sample, responses)]).rows
    assert not row.failure
    return dict(row.values)


def test_the_explanation_and_the_image_are_two_requests(task: Any) -> None:
    (sample,) = task.samples()
    assert wording(asked(task, sample)).startswith("<image>Question: Add a fork.\nIdentify the target")
    assert wording(asked(task, sample, "The fork.")).startswith("<image>Add a fork.\nGenerate an image")


def test_the_right_text_is_told_by_its_place_and_by_its_letter(task: Any) -> None:
    # The answer D is marked so in front, and is the fourth by the script's count.
    by_letter, by_place = values(task, "D: a plate and a fork", 1), values(task, "A: dog a dog a dog", 1)
    assert (by_letter["text"], by_letter["text by letter"]) == (0, 1)
    assert (by_place["text"], by_place["text by letter"]) == (1, 0)
    assert by_letter["nearest"] == by_place["nearest"] == 1
    assert (by_letter["combined"], by_letter["combined by letter"]) == (0, 1)
    assert (by_place["combined"], by_place["combined by letter"]) == (1, 0)


def test_another_image_or_no_words_are_not_right(task: Any) -> None:
    assert values(task, "D: a plate and a fork", 2)["combined by letter"] == 0
    silent = values(task, "  ", 1)
    assert (silent["nearest"], silent["text"], silent["text by letter"], silent["combined"]) == (1, 0, 0, 0)


def test_an_answer_without_a_place_is_one_error(tmp_path: Path) -> None:
    write_json(tmp_path / FILE, [{**ROW, "choice": ROW["choice"][:2]}])
    weights = f"clip={write_clip(tmp_path / 'clip')}"
    task: Any = build("mme-unify-edit-explain", tmp_path, options={"weights": weights})
    with pytest.raises(DataError, match="the answer D of 2 options has no place"):
        list(task.samples())
