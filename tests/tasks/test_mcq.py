"""`mcq-table`: every hub layout of multiple choice read alike, and all that can be wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.content import Image, Text
from evalsuite.errors import DataError, SpecError
from evalsuite.task.mcq import (
    LETTERS,
    AnswerForm,
    InText,
    McqQuestion,
    McqSettings,
    options_of,
    read_mcq,
    right_letter,
)
from tests.tasks.tables import (
    PHOTOS,
    base64_of,
    by_datasets,
    cell,
    delimited,
    image_files,
    json_file,
    json_lines,
    located,
    parquet,
)

OPTIONS = ["a cat", "a dog", "None", "3.5"]
PLAIN = {"question": "question", "answer": "answer", "image": "image"}
ROW: dict[str, Any] = {"question": "What is it?", "answer": "B", "image": cell(0)}
IN_COLUMNS = dict(zip("ABCD", OPTIONS, strict=True))


def read(folder: Path, columns: dict[str, str] | None = None, files: Any = None, **settings: Any) -> list[
    McqQuestion
]:  # fmt: skip
    return [*read_mcq(located(folder, "mcq-table", columns or PLAIN, files, **settings))]


Layout = Callable[[Path], list[McqQuestion]]


def as_columns(folder: Path) -> list[McqQuestion]:
    by_datasets(folder / "t.parquet", [{**ROW, **IN_COLUMNS}])
    return read(folder, options=["A", "B", "C", "D"])


def as_numbered_columns(folder: Path) -> list[McqQuestion]:
    choices = {f"choice_{n}": text for n, text in enumerate(OPTIONS)}
    parquet(folder / "t.parquet", [{**ROW, **choices, "answer": 2}])
    return read(folder, options=["choice_*"], answer="index-from-1")


def as_list(folder: Path) -> list[McqQuestion]:
    by_datasets(folder / "t.parquet", [{**ROW, "options": OPTIONS, "answer": "1"}])
    return read(folder, {**PLAIN, "options": "options"}, answer="index")


def as_text_of_list(folder: Path) -> list[McqQuestion]:
    parquet(folder / "t.parquet", [{**ROW, "choices": repr(OPTIONS), "answer": "(B)"}])
    return read(folder, options="choices", answer="(letter)")


def as_json_text_of_list(folder: Path) -> list[McqQuestion]:
    json_file(folder / "x.json", OPTIONS)
    text = (folder / "x.json").read_text()
    (folder / "x.json").unlink()
    parquet(folder / "t.arrow.parquet", [{**ROW, "choices": text, "answer": "(b)"}])
    return read(folder, options="choices", answer="(letter)")


def as_cell_of_letters(folder: Path) -> list[McqQuestion]:
    texts = " ".join(f"({letter.lower()}) {text}" for letter, text in IN_COLUMNS.items())
    parquet(folder / "t.parquet", [{**ROW, "Options": texts, "answer": "(b)"}])
    pattern = r"\(([a-z])\) (.*?)(?= \([a-z]\)|$)"
    return read(folder, options={"in": "Options", "pattern": pattern}, answer="(letter)")


def as_lines_behind_the_question(folder: Path) -> list[McqQuestion]:
    text = "See A. Smith. Which?\nOptions:\n" + "\n".join(f"{k}. {text}" for k, text in IN_COLUMNS.items())
    parquet(folder / "t.parquet", [{**ROW, "question": text, "answer": "a dog"}])
    inside = {"in": "question", "after": "Options:", "pattern": r"([A-Z])\. (.+)"}
    (found,) = read(folder, options=inside, answer="text")
    assert found.question == (Text(text),)
    return [found]


def as_vlmevalkit_tsv(folder: Path) -> list[McqQuestion]:
    delimited(folder / "t.tsv", [{"index": 7, **ROW, "image": base64_of(0), **IN_COLUMNS}])
    return read(folder, options=["A", "B", "C", "D"])


def as_json_lines(folder: Path) -> list[McqQuestion]:
    image_files(folder / "images", "0.png")
    json_lines(folder / "t.jsonl", [{**ROW, "image": "0.png", "options": OPTIONS, "answer": 1}])
    files = {"table": "t.jsonl", "images": "images"}
    return read(folder, {**PLAIN, "options": "options"}, files, answer="index")


def as_json_object(folder: Path) -> list[McqQuestion]:
    image_files(folder, "pictures/q1.png")
    row = {"question": ROW["question"], "options": OPTIONS, "answer": "a dog"}
    json_file(folder / "t.json", {"data": {"q1": row}})
    files = {"table": "t.json", "images": "pictures/{key}.jpg"}
    columns = {"id": "key", "question": "question", "options": "options", "answer": "answer"}
    return read(folder, columns, files, rows="data", answer="text")


def as_csv(folder: Path) -> list[McqQuestion]:
    image_files(folder / "MMVP Images", "1.png")
    row = {"Index": 1, "Question": ROW["question"], "Correct Answer": "(b)", "Options": repr(OPTIONS)}
    delimited(folder / "Questions.csv", [row], ",")
    files = {"table": "Questions.csv", "images": "MMVP Images/{Index}.jpg"}
    columns = {"id": "Index", "question": "Question", "answer": "Correct Answer", "options": "Options"}
    return read(folder, columns, files, answer="(letter)")


LAYOUTS: list[Layout] = [
    as_columns, as_numbered_columns, as_list, as_text_of_list, as_json_text_of_list, as_cell_of_letters,
    as_lines_behind_the_question, as_vlmevalkit_tsv, as_json_lines, as_json_object, as_csv,
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.__name__ for layout in LAYOUTS])
def test_every_layout_gives_the_same_question(tmp_path: Path, layout: Layout) -> None:
    (found,) = layout(tmp_path)
    assert found.texts() == IN_COLUMNS
    assert found.answers == ("B",)
    assert [image.read() for image in found.images] == [PHOTOS[0]]
    assert not found.problem


def test_several_images_keep_their_order_and_nulls_are_dropped(tmp_path: Path) -> None:
    names = [f"image_{n}" for n in (1, 2, 3, 10)]
    rows = [
        {"question": "q", "answer": "A", "A": "x", "B": "y", **dict(zip(names, images, strict=True))}
        for images in ([cell(0), None, cell(2), cell(3)], [None, cell(1), None, None])
    ]
    parquet(tmp_path / "t.parquet", rows)
    columns = {"question": "question", "answer": "answer"}
    found = read(tmp_path, columns, options=["A", "B"], images="image_*")
    shown = [[image.read() for image in question.images] for question in found]
    assert shown == [[PHOTOS[0], PHOTOS[2], PHOTOS[3]], [PHOTOS[1]]]


def test_a_list_of_images_in_one_cell(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{**ROW, **IN_COLUMNS, "image": [cell(1), cell(0)]}])
    (found,) = read(tmp_path, options=["A", "B", "C", "D"])
    assert [image.read() for image in found.images] == [PHOTOS[1], PHOTOS[0]]


def test_several_images_in_a_tsv_and_references_to_another_row(tmp_path: Path) -> None:
    rows = [
        {"index": 1, **ROW, "image": repr([base64_of(0), base64_of(1)]), **IN_COLUMNS},
        {"index": 2, **ROW, "image": "1", **IN_COLUMNS},
    ]
    delimited(tmp_path / "t.tsv", rows)
    found = read(tmp_path, {"id": "index", **PLAIN}, options=["A", "B", "C", "D"])
    assert [[image.read() for image in one.images] for one in found] == [PHOTOS[:2], PHOTOS[:2]]


def test_images_stand_where_their_marks_stand(tmp_path: Path) -> None:
    row = {
        "question": "Is <image 1> or <image 2>?", "options": "['<image 3>', 'b', 'see <image 9>']",
        "answer": "C", "image_1": cell(0), "image_2": cell(1), "image_3": cell(2),
    }  # fmt: skip
    parquet(tmp_path / "t.parquet", [row, {**row, "image_2": None}])
    columns = {"question": "question", "options": "options", "answer": "answer"}
    found, broken = read(tmp_path, columns, images="image_*", marks="image_{}")
    kinds = ["image" if isinstance(part, Image) else part.text for part in found.question]
    assert kinds == ["Is ", "image", " or ", "image", "?"]
    assert [part.read() for part in found.options["A"] if isinstance(part, Image)] == [PHOTOS[2]]
    assert found.options["C"] == (Text("see <image 9>"),)
    assert found.texts()["A"] == "<image 3>"
    assert found.images == ()
    assert "shows <image 2>, but image_2 is empty" in broken.problem


def test_rows_without_options_are_open_questions(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"question": "q", "answer": "A", "options": ["x", "y"]},
        {"question": "q", "answer": "seven", "options": []},
        {"question": "q", "answer": "8", "options": None},
    ]
    parquet(tmp_path / "t.parquet", rows)
    found = read(tmp_path, {"question": "question", "answer": "answer", "options": "options"})
    assert [(len(one.options), one.answers) for one in found] == [(2, ("A",)), (0, ("seven",)), (0, ("8",))]


def test_options_that_are_only_lettered_may_make_the_others_open(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{**ROW, "answer": answer} for answer in ("C", "Downhill", "0")])
    found = read(tmp_path, options={"letters": "ABCD", "otherwise": "open"})
    assert [(list(one.options), one.answers) for one in found] == [
        (["A", "B", "C", "D"], ("C",)),
        ([], ("Downhill",)),
        ([], ("0",)),
    ]
    with pytest.raises(DataError, match=r"row 1 \(id 1\): the answer 'Downhill' is none of the options A, B"):
        read(tmp_path, options={"letters": "ABCD"})


def test_without_a_column_of_answers_they_are_not_public(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{**ROW, **IN_COLUMNS}])
    (found,) = read(tmp_path, {"question": "question", "image": "image"}, options=["A", "B", "C", "D"])
    assert found.answers == ()


def test_a_question_may_be_in_its_image(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{**ROW, **IN_COLUMNS}])
    (found,) = read(tmp_path, {"answer": "answer", "image": "image"}, options=["A", "B", "C", "D"])
    assert found.question == ()


@pytest.mark.parametrize(
    ("answer", "form", "remedy"),
    [
        ("(A)", "letter", r"Would `answer: \(letter\)` read it"),
        ("a dog", "letter", "Would `answer: text` read it"),
        ("2", "letter", "Would `answer: index or index-from-1` read it"),
        ("E", "letter", "Is the right column named"),
        ("B", "index", "Would `answer: letter` read it"),
        ("4", "index", "Would `answer: index-from-1` read it"),
        ("0", "index-from-1", "Would `answer: index` read it"),
        ("-1", "index", "Is the right column named"),
        ("a bird", "text", "Is the right column named"),
        ("", "text", "Is the right column named"),
    ],
)
def test_an_answer_that_is_none_of_the_options_names_the_row(
    tmp_path: Path, answer: str, form: AnswerForm, remedy: str
) -> None:
    parquet(tmp_path / "t.parquet", [{**ROW, **IN_COLUMNS, "answer": answer, "name": "q17"}])
    message = rf"t\.parquet, row 0 \(id q17\): the answer '.*' is none of the options A, B, C, D .*{remedy}"
    with pytest.raises(DataError, match=message):
        read(tmp_path, {**PLAIN, "id": "name"}, options=["A", "B", "C", "D"], answer=form)


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"options": ["x"]}, {}, "has one option"),
        ({"options": ["x", None, "z"]}, {}, "option 2 of 3 is empty"),
        ({"options": ["x", " "]}, {}, "option 2 of 2 is empty"),
        ({"options": "x, y"}, {}, "are not the text of a list"),
        ({"options": "{'a': 1}"}, {}, "are dict .*, not a list"),
        (
            {"options": ["same", "same"], "answer": "same"},
            {"answer": "text"},
            "is the text of options A and B",
        ),
        ({"options": [str(n) for n in range(27)]}, {}, "has 27 options; there are 26 letters"),
        ({"question": None}, {}, "has no question"),
        ({"question": "  "}, {}, "has no question"),
    ],
)
def test_a_row_that_is_no_question_is_named(
    tmp_path: Path, changes: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    parquet(tmp_path / "t.parquet", [{**ROW, "options": ["x", "y"], **changes}])
    with pytest.raises(DataError, match=rf"row 0 \(id 0\).*{message}"):
        read(tmp_path, {**PLAIN, "options": "options"}, **settings)


def test_a_row_with_one_option_may_be_the_benchmarks_own(tmp_path: Path) -> None:
    """MMMU-Pro has one, whose list stands in a list and whose answer is B: nobody can be right."""
    rows = [{**ROW, "options": "[['A', 'B', 'Neither']]", "answer": "B"}, {**ROW, "options": "['x', 'y']"}]
    parquet(tmp_path / "t.parquet", rows)
    odd, plain = read(tmp_path, {**PLAIN, "options": "options"}, one_option="keep")
    assert (list(odd.options), odd.answers) == (["A"], ("B",))
    assert list(plain.options) == ["A", "B"]


def test_a_gap_among_columns_of_options_is_named(tmp_path: Path) -> None:
    rows = [{**ROW, **IN_COLUMNS, "C": "", "D": None}, {**ROW, **IN_COLUMNS, "B": ""}]
    parquet(tmp_path / "t.parquet", rows[:1])
    (found,) = read(tmp_path, options=["A", "B", "C", "D"])
    assert list(found.options) == ["A", "B"]
    parquet(tmp_path / "t.parquet", rows)
    with pytest.raises(DataError, match=r"row 1 \(id 1\): option 2 of 4 is empty"):
        read(tmp_path, options=["A", "B", "C", "D"])


@pytest.mark.parametrize("letters", ["AAB", "ABD", "BC"])
def test_letters_in_a_text_must_follow_one_another(tmp_path: Path, letters: str) -> None:
    text = " ".join(f"({letter}) x" for letter in letters)
    parquet(tmp_path / "t.parquet", [{**ROW, "question": text, "answer": "B"}])
    with pytest.raises(DataError, match="the options in question are lettered " + ", ".join(letters)):
        read(tmp_path, options={"in": "question", "pattern": r"\(([A-Z])\) (x)"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"option": "choices"}, "option: Extra inputs are not permitted"),
        ({"answer": "number"}, "answer: Input should be"),
        ({"options": {"in": "question", "pattern": "([A-Z]"}}, "is not a regular expression"),
        ({"options": {"in": "question", "pattern": "([A-Z])"}}, "needs two groups"),
        ({"options": {"letters": "A"}}, "letters: String should have at least 2"),
        ({"cluster": ["pair"], "labels": ["part"]}, "there is no label 'pair'. Did you mean part"),
    ],
)
def test_settings_that_do_not_exist_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    parquet(tmp_path / "t.parquet", [{**ROW, **IN_COLUMNS}])
    with pytest.raises(SpecError, match=rf"little: settings of the source 'mcq-table': .*{message}"):
        read(tmp_path, **settings)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{**ROW, **IN_COLUMNS}])
    with pytest.raises(DataError, match=r"no column 'picture' .*it has: question, answer, image"):
        read(tmp_path, {**PLAIN, "image": "picture"}, options=["A", "B"])
    with pytest.raises(DataError, match=r"no column 'choice_\*'"):
        read(tmp_path, options=["choice_*"])


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
option_lists = st.lists(
    texts.filter(lambda text: text.strip() != ""), min_size=2, max_size=26, unique_by=str.strip
)


@given(option_lists)
def test_the_text_of_a_list_is_the_list(options: list[str]) -> None:
    import json

    assert options_of(repr(options), "here") == options_of(json.dumps(options), "here") == options
    assert options_of(options, "here") == options_of(tuple(options), "here") == options


@given(option_lists, st.data())
def test_the_four_forms_of_an_answer_name_the_same_option(options: list[str], data: st.DataObject) -> None:
    lettered = dict(zip(LETTERS, options, strict=False))
    place = data.draw(st.integers(0, len(options) - 1))
    letter = LETTERS[place]
    written: list[tuple[Any, AnswerForm]] = [
        (letter, "letter"), (f" {letter.lower()} ", "letter"), (f"({letter})", "(letter)"), (place, "index"),
        (str(place), "index"), (float(place), "index"), (place + 1, "index-from-1"), (options[place], "text"),
    ]  # fmt: skip
    assert {right_letter(value, lettered, form, "here") for value, form in written} == {letter}


@given(
    option_lists, texts | st.integers() | st.none(), st.sampled_from(["letter", "(letter)", "index", "text"])
)
def test_whatever_the_cell_holds_the_answer_is_an_option_or_an_error(
    options: list[str], value: Any, form: AnswerForm
) -> None:
    lettered = dict(zip(LETTERS, options, strict=False))
    try:
        assert right_letter(value, lettered, form, "row 9") in lettered
    except DataError as error:
        assert "row 9" in str(error)  # noqa: PT017


@given(
    st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), min_size=2, max_size=8)
)
def test_options_inside_a_text_are_found_again(options: list[str]) -> None:
    lettered = dict(zip(LETTERS, options, strict=False))
    text = "Which of them (see A. and B.)?\nOptions:\n" + "\n".join(f"{k}) {v}" for k, v in lettered.items())
    inside = InText.model_validate({"in": "q", "after": "Options:", "pattern": r"([A-Z])\) (\w+)"})
    assert inside.options(text, "here") == lettered
    assert McqSettings(options=inside).options == inside
