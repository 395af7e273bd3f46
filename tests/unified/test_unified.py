"""Unified models through their official code, with tiny random weights of their real classes, each in an
environment of its own (tests/unified/README.md)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from evalsuite.content import Image, Message, Text
from evalsuite.errors import SampleError
from evalsuite.isolated.adapter import IsolatedModel
from evalsuite.request import (
    GenerateDocument,
    GenerateImages,
    GenerateText,
    ImageResponse,
    Output,
    Request,
)

from .models import TINY, Tiny, build
from .tiny.photo import photo

pytestmark = pytest.mark.unified


@pytest.fixture(scope="module", params=TINY, ids=lambda tiny: tiny.adapter)
def loaded(request: pytest.FixtureRequest) -> Iterator[tuple[Tiny, IsolatedModel]]:
    model = build(request.param)
    yield request.param, model
    model._child.stop()


def asked(text: str, output: Output, seed: int = 1, *images: bytes) -> Request:
    parts: tuple[Text | Image, ...] = (*(Image(data=image, name="i") for image in images), Text(text))
    return Request((Message("user", parts),), output, seed=seed)


def answers(model: IsolatedModel, method: str, *requests: Request) -> list[Any]:
    return list(getattr(model, method)([model.prepare(one) for one in requests]))


QUESTIONS = [
    asked("What colour is the circle? Answer in one word.", GenerateText(max_new_tokens=4), 1, photo(0)),
    asked("How many squares are there in this image?", GenerateText(max_new_tokens=6), 2, photo(1)),
    asked("Name a colour.", GenerateText(max_new_tokens=4), 3),
]


def test_answers_do_not_depend_on_the_batch(loaded: tuple[Tiny, IsolatedModel]) -> None:
    tiny, model = loaded
    if not tiny.text:
        assert "text" not in model.capabilities
        return
    together = answers(model, "generate_text", *QUESTIONS)
    alone = [answers(model, "generate_text", one)[0] for one in QUESTIONS]
    assert [one.text for one in together] == [one.text for one in alone]
    assert all(one.tokens is None or one.tokens <= 6 for one in together)
    other = asked(
        "What colour is the circle? Answer in one word.", GenerateText(max_new_tokens=4), 1, photo(7)
    )
    assert (
        answers(model, "generate_text", other)[0].text or together[0].text
    )  # random weights do say something


def test_images_come_from_their_seeds(loaded: tuple[Tiny, IsolatedModel]) -> None:
    tiny, model = loaded
    wanted = GenerateImages()
    first, second = answers(
        model, "generate_images", asked("a red circle", wanted, 5), asked("a red circle", wanted, 6)
    )
    (again,) = answers(model, "generate_images", asked("a red circle", wanted, 5))
    (two,) = answers(model, "generate_images", asked("a red circle", GenerateImages(count=2), 5))
    (words,) = answers(model, "generate_images", asked("two blue squares on a table", wanted, 5))
    assert shown(first).size == (tiny.side, tiny.side)
    assert all(isinstance(one, ImageResponse) for one in (first, second, again, two, words))
    assert first.images[0].read() == again.images[0].read() == two.images[0].read()
    assert second.images[0].read() == two.images[1].read() != first.images[0].read()
    assert words.images[0].read() != first.images[0].read()


def test_edits_see_the_image_or_are_refused(loaded: tuple[Tiny, IsolatedModel]) -> None:
    tiny, model = loaded
    requests = [asked("make it green", GenerateImages(), 5, photo(place)) for place in (0, 1)]
    first, second = answers(model, "generate_images", *requests)
    if not tiny.edits:
        assert isinstance(first, SampleError)
        assert "from text alone" in first.what
        assert "edit" not in model.capabilities
        return
    (again,) = answers(model, "generate_images", requests[0])
    assert first.images[0].read() == again.images[0].read() != second.images[0].read()


def test_documents_hold_text_and_images(loaded: tuple[Tiny, IsolatedModel]) -> None:
    tiny, model = loaded
    assert ("interleaved" in model.capabilities) == tiny.documents
    if tiny.documents:
        wanted = GenerateDocument(max_new_tokens=4, max_images=1)
        (document,) = answers(model, "generate_documents", asked("Tell of a red circle.", wanted, 5))
        assert [type(part) for part in document.parts] == [Text, Image]


def test_it_counts_its_weights(loaded: tuple[Tiny, IsolatedModel]) -> None:
    tiny, model = loaded
    assert model.info.parameters is not None
    size = sum(file.stat().st_size for file in tiny.weights.rglob("*") if file.is_file())
    assert 1_000 < model.info.parameters <= size


def shown(answer: Any) -> Any:
    from PIL import Image as pil

    return pil.open(io.BytesIO(answer.images[0].read()))
