"""Content, requests, specifications: what the whole house stands on."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evalsuite.content import Image, document, images_of, system, user
from evalsuite.errors import DataError, EvalsuiteError
from evalsuite.request import ChoiceResponse, GenerateImages, GenerateText, Request, fingerprint
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_an_image_is_bytes_or_a_file_not_both(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        Image()
    with pytest.raises(DataError):
        Image(b"x", tmp_path / "a.png")


def test_a_missing_image_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.png cannot be read"):
        Image(path=tmp_path / "nowhere.png").read()


def test_images_come_in_reading_order() -> None:
    first, second = Image(b"1"), Image(b"2")
    assert images_of((system("be brief"), user(first, "and", second))) == (first, second)
    assert document("a", first)[1] is first


def request(**changes: Any) -> Any:
    parts = {
        "text": "what is it?",
        "data": b"picture",
        "output": GenerateText(),
        "prefill": "",
        "seed": 0,
        **changes,
    }
    return Request(
        (user(Image(parts["data"]), parts["text"]),), parts["output"], parts["prefill"], parts["seed"]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"text": "what is this?"},
        {"data": b"another picture"},
        {"output": GenerateText(max_new_tokens=8)},
        {"output": GenerateImages()},
        {"prefill": "The answer is:"},
        {"seed": 1},
    ],
)
def test_fingerprint_changes_with_everything_a_model_sees(change: Any) -> None:
    assert request().fingerprint() == request().fingerprint()
    assert request(**change).fingerprint() != request().fingerprint()


def test_fingerprint_does_not_depend_on_where_the_image_lies(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    in_memory = Request((user(Image(b"picture", name="a.png")),), GenerateText())
    on_disk = Request((user(Image(path=tmp_path / "a.png")),), GenerateText())
    assert in_memory.fingerprint() == on_disk.fingerprint()


@pytest.mark.slow
@given(st.dictionaries(st.text(), JSON))
def test_fingerprint_ignores_the_order_of_keys(value: Any) -> None:
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))


@given(st.text(alphabet=st.characters(), min_size=1))
def test_any_text_can_be_fingerprinted_even_lone_surrogates(text: Any) -> None:
    assert len(fingerprint(text + "\ud800")) == 64


def test_first_of_equal_choices_wins() -> None:
    assert ChoiceResponse((-2.0, -1.0, -1.0)).best == 1


def spec(**changes: Any) -> Any:
    fields = {"model": ModelSpec(name="m"), "tasks": (TaskSpec(name="a"), TaskSpec(name="b")), **changes}
    return RunSpec(**fields)


def test_difference_names_each_field_once() -> None:
    other = spec(seed=3, tasks=(TaskSpec(name="a"), TaskSpec(name="b", protocol="p")))
    assert spec().difference(other) == ["seed: 0 -> 3", "tasks[1].protocol: None -> 'p'"]
    assert spec().difference(spec()) == []


def test_difference_in_the_number_of_tasks_names_them() -> None:
    assert spec().difference(spec(tasks=(TaskSpec(name="a"),))) == ["tasks: a, b -> a"]


def test_spec_survives_json() -> None:
    original = spec(limit=5)
    assert RunSpec.model_validate_json(original.model_dump_json()) == original


@pytest.mark.parametrize("bad", [{"limit": 0}, {"limit": -1}, {"nonsense": 1}])
def test_nonsense_in_a_spec_is_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        spec(**bad)


def test_execution_options_do_not_take_a_batch_of_nothing() -> None:
    with pytest.raises(ValidationError):
        ExecutionOptions(batch_size=0)


def test_error_shows_what_and_remedy_in_one_line() -> None:
    error = EvalsuiteError("File x is missing.", "Download it.")
    assert str(error) == "File x is missing. Download it."


def test_core_imports_nothing_heavy() -> None:
    code = (
        "import sys, evalsuite.registry, evalsuite.task, evalsuite.model, evalsuite.stats;"
        "print([m for m in ('torch', 'transformers', 'pandas', 'scipy', 'datasets') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("protocol", [4, 5])
def test_an_image_of_bytes_comes_back_from_a_pickle(size: int, protocol: int) -> None:
    image = Image(b"x" * size, name="a.png")
    assert pickle.loads(pickle.dumps(image, protocol)) == image
    assert copy.deepcopy(image) == image
    broken = Image(b"", name="b.png", problem="it is not there")
    assert pickle.loads(pickle.dumps(broken, protocol)) == broken


def test_large_bytes_travel_beside_the_pickle_and_are_not_copied_into_it() -> None:
    image = Image(b"x" * 100_000, name="a.png")
    aside: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps([image, Image(path=Path("b.png"))], 5, buffer_callback=aside.append)
    assert len(pickled) < 1000
    assert aside[0].raw().obj is image.data
    again, file = pickle.loads(pickled, buffers=[memoryview(bytearray(image.data or b""))])
    assert again == image
    assert isinstance(again.data, bytes)
    assert file == Image(path=Path("b.png"))
