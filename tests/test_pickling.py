"""What travels between driver and workers comes back equal, images and their subclasses included."""

import copy
import io
import pickle
from pathlib import Path

import pytest
from PIL import Image as pil

from evalsuite.content import FileSlice, Image, Message, RawImage, Text
from evalsuite.engine.leases import Lease
from evalsuite.engine.told import Answered, Through
from evalsuite.request import ChoiceResponse, DocumentResponse, ImageResponse, TextResponse
from evalsuite.store.records import Record
from evalsuite.task import Sample

PHOTO = Image(path=Path("a.jpg"), name="a")
THINGS = [
    Text("a cat"),
    FileSlice(Path("a.tar"), 512, 100),
    PHOTO,
    Image(b"bytes", name="b"),
    Image(b"x" * 2**17, name="large"),
    Image(b"", problem="the cell is empty", name="c"),
    Message("user", (PHOTO, Text("what is it?"))),
    Sample("1", (PHOTO, "what?"), "group", {"type": "number"}),
    Lease("vqa", 3, (Sample("1", "a"), Sample("2", "b")), alone=True, avoid=frozenset({"node"}), ticket=7),
    TextResponse("a cat", 3, True, {"stop": "length"}),
    ChoiceResponse((-1.5, -2.0), (1, 1)),
    ImageResponse((Image(b"png"),), {"seed": 1}),
    DocumentResponse((Text("one"), Image(b"png"))),
    Record("vqa", "1", 0, TextResponse("yes"), seconds=0.5, batch_size=8, worker=2),
    Answered(4, (Record("vqa", "1", 0, None, "it broke"),)),
    Through(9),
]


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: type(thing).__name__)
@pytest.mark.parametrize("protocol", [2, 5])
def test_it_comes_back_equal(thing: object, protocol: int) -> None:
    found = pickle.loads(pickle.dumps(thing, protocol))
    assert type(found) is type(thing)
    assert found == thing
    assert repr(found) == repr(thing)
    assert copy.deepcopy(thing) == thing


def test_an_image_that_is_not_encoded_yet_comes_back_encoded() -> None:
    pixels = pil.new("RGB", (3, 2), (255, 0, 0))
    found = pickle.loads(pickle.dumps(RawImage(name="drawn", pixels=pixels)))
    assert type(found) is Image
    with pil.open(io.BytesIO(found.read())) as read:
        assert read.tobytes() == pixels.tobytes()
