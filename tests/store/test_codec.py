"""What is stored comes back as it was."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as pil

from evalsuite.content import Image, Text
from evalsuite.errors import StoreError
from evalsuite.request import ChoiceResponse, DocumentResponse, ImageResponse, Response, TextResponse
from evalsuite.store import codec, images
from evalsuite.store.layout import scores_file

details = st.dictionaries(
    st.text(), st.one_of(st.integers(), st.text(), st.booleans(), st.none()), max_size=3
)
anything = st.one_of(
    st.builds(TextResponse, st.text(st.characters()), st.none() | st.integers(0, 99), st.booleans(), details),
    st.builds(
        ChoiceResponse,
        st.lists(st.floats(allow_nan=False)).map(tuple),
        st.lists(st.integers()).map(tuple),
        details,
    ),
)


def refuse(image: Image) -> images.ImageReference:
    raise AssertionError("this response has no image")


@given(anything)
def test_texts_and_choices_come_back_equal(response: Response) -> None:
    assert codec.decode(codec.encode(response, refuse), Path("unused")) == response


def picture(seed: int) -> Image:
    stream = io.BytesIO()
    pil.frombytes("RGB", (4, 4), bytes((seed * 7 + i) % 256 for i in range(48))).save(stream, "PNG")
    return Image(stream.getvalue())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 5) | st.text()), st.booleans())
def test_documents_come_back_with_the_same_texts_and_pixels(
    tmp_path: Path, parts: list[int | str], truncated: bool
) -> None:
    document = tuple(Text(part) if isinstance(part, str) else picture(part) for part in parts)
    response = DocumentResponse(document, truncated, {"steps": 3})
    text = codec.encode(response, lambda image: images.store(tmp_path, image.read()))
    back = codec.decode(text, tmp_path)
    assert isinstance(back, DocumentResponse)
    assert (back.truncated, back.details) == (truncated, {"steps": 3})
    assert [p if isinstance(p, Text) else p.read() for p in back.parts] == [
        p if isinstance(p, Text) else p.read() for p in document
    ]
    assert [r.sha256 for r in codec.references(text)] == [
        p.sha256() for p in document if isinstance(p, Image)
    ]


def test_equal_images_are_stored_once(tmp_path: Path) -> None:
    response = ImageResponse((picture(1), picture(2), picture(1)))
    codec.encode(response, lambda image: images.store(tmp_path, image.read()))
    assert len(list((tmp_path / "images").glob("??/*"))) == 2


def test_what_json_cannot_hold_in_details_is_kept_as_text() -> None:
    response = TextResponse("a", details={"path": Path("x/y")})
    assert codec.decode(codec.encode(response, refuse), Path()).details == {"path": "x/y"}
    details: dict[Any, Any] = {"by token": [{(0, 1): 0.5}], 7: "seven"}
    response = TextResponse("a", details=details)
    assert codec.decode(codec.encode(response, refuse), Path()).details == {
        "by token": [{"(0, 1)": 0.5}],
        "7": "seven",
    }


@pytest.mark.parametrize("name", ["../../etc/passwd", "ab/cd", "", "A" * 64])
def test_a_tampered_reference_cannot_leave_the_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="not an image's file name"):
        images.locate(tmp_path, images.ImageReference(name, ".png"))
    with pytest.raises(StoreError, match="not an image's file name"):
        images.locate(tmp_path, images.ImageReference("a" * 64, "/../x.png"))


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_score_table_of_any_task_name_stays_in_its_folder(task: str, rules: str) -> None:
    assert scores_file(Path("run"), task, rules).parent == Path("run/scores")


def test_long_names_of_judges_have_tables_of_their_own_that_a_file_system_takes() -> None:
    tables = {scores_file(Path("run"), "task", "official", "judge " * 100 + end).name for end in "ab"}
    assert len(tables) == 2
    assert max(map(len, tables)) < 230
