"""Every benchmark that can be built here can be sent to another process, before and after it was used."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import evalsuite_tasks
import pytest

from evalsuite.errors import EvalsuiteError
from evalsuite.task import Task
from evalsuite.task.entry import BrokenEntry, TaskEntry, TaskOptions
from tests.tasks.tables import PHOTOS, cell, parquet

OFFERED = [entry for entry in evalsuite_tasks.tasks() if not isinstance(entry, BrokenEntry)]


def made_here(entry: TaskEntry) -> bool:
    """Whether a data set can be had without a network or a folder of the user's."""
    try:
        entry.build(TaskOptions())
    except EvalsuiteError:
        return False
    return True


HERE = [entry for entry in OFFERED if entry.name.startswith("mini-") and made_here(entry)]


def again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def first_question(task: Task) -> tuple[Any, ...]:
    sample = next(iter(task.samples()))
    request = task.request(sample)
    return sample.id, request and request.describe(), task.target(sample)


def test_the_miniature_world_has_tasks_of_every_family_it_serves() -> None:
    assert len(HERE) >= 8
    assert {"caption", "choice", "edit", "image", "interleaved", "subject", "vqa"} <= {e.family for e in HERE}


@pytest.mark.slow
@pytest.mark.parametrize("entry", HERE, ids=[entry.name for entry in HERE])
def test_a_task_arrives_whole_in_another_process(entry: TaskEntry) -> None:
    task = entry.build(TaskOptions())
    untouched = again(task)
    asked = first_question(task)
    used = again(task)
    assert first_question(untouched) == first_question(used) == asked
    assert untouched.info == used.info == task.info
    assert untouched.fingerprint() == task.fingerprint()


def test_a_task_needs_its_data_no_more_where_it_arrives(tmp_path: Path) -> None:
    row = {"question": "q?", "options": ["a", "b"], "answer": "1", "image": cell(0)}
    table = parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [row])
    (entry,) = (one for one in OFFERED if one.name == "ai2d")
    task = entry.build(TaskOptions(data=tmp_path))
    sent = pickle.dumps((task, next(iter(task.samples()))))
    table.unlink()
    arrived, sample = pickle.loads(sent)
    assert [image.read() for image in arrived.request(sample).images] == [PHOTOS[0]]
    assert arrived.target(sample) == ["B"]


@pytest.mark.parametrize("entry", OFFERED, ids=[entry.name for entry in OFFERED])
def test_what_is_offered_can_be_sent_before_it_is_built(entry: TaskEntry) -> None:
    arrived = again(entry)
    assert (arrived.name, arrived.needs, arrived.rules) == (entry.name, entry.needs, entry.rules)
    assert again(arrived.build).args == entry.build.args  # type: ignore[attr-defined]
