"""Samples of stored runs keep their digests when a record gains a field."""

from __future__ import annotations

from dataclasses import field, make_dataclass
from typing import Any

import pytest

from evalsuite.data.vqav2 import Question
from evalsuite.engine.hashing import describe
from evalsuite.request import ADDED
from evalsuite.task.mcq import McqQuestion
from evalsuite.task.table_readers import YesNoQuestion


def test_a_field_that_a_record_gained_is_described_only_where_it_says_something() -> None:
    labels: Any = ("labels", dict, field(default_factory=dict, metadata=ADDED))
    record = make_dataclass("Record", [("id", str), labels, ("hint", str, field(default=""))])
    assert describe(record("a")) == {"id": "a", "hint": ""}
    assert describe(record("a", {"x": "y"})) == {"id": "a", "labels": {"x": "y"}, "hint": ""}


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (
            Question("1", (), "", "?"),
            "id image image_id question answers question_type answer_type answerable ocr",
        ),
        (McqQuestion("1", (), {}, ()), "id question options answers images hint labels written"),
        (YesNoQuestion("1", "?", (), "", None), "id question image image_name label"),
    ],
)
def test_records_are_described_by_the_fields_of_version_0_1_0(record: Any, fields: str) -> None:
    assert list(describe(record)) == fields.split()
