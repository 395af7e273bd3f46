"""Subjects of the miniature world: shown elsewhere than asked, prompts that state only the shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import DataError
from evalsuite.mini.detect import detect
from evalsuite.mini.formats.dreambooth import FOLDER, PROMPTS, TRUTH, write_dreambooth
from evalsuite.mini.formats.sink import Sink
from evalsuite.mini.formats.truth import read_subjects
from evalsuite.mini.language import VOCABULARY, words
from evalsuite.mini.render import render
from evalsuite.mini.subjects import ASKED, SHOWN, Wanted, match_subject, prompts_for, sample_subjects
from evalsuite.mini.world import HELD_OUT, Scene, Thing, legal, split_of


def subjects(count: Any = 36) -> Any:
    return sample_subjects(np.random.default_rng(3), count)


def scene(*things: Any) -> Any:
    sizes = [13.0 if thing[2] == "large" else 8.0 for thing in things]
    made = tuple(Thing(*(*thing, radius)) for thing, radius in zip(things, sizes, strict=True))
    return Scene(made, (244, 245, 243))


def seen(*things: Any) -> Any:
    return detect(render(scene(*things)))


def test_every_subject_is_shown_alone_where_no_prompt_puts_it_in_test_scenes() -> None:
    found = subjects()
    assert len({subject.name for subject in found}) == 36
    for subject in found:
        assert {s.place for s in subject.references} == set(SHOWN)
        for shown in subject.references:
            (thing,) = shown.things
            assert (thing.shape, thing.colour, thing.size) == (subject.shape, subject.colour, subject.size)
            assert legal(shown)
            assert split_of(shown) == "test"
    assert not set(SHOWN) & set(ASKED)
    with pytest.raises(ValueError, match="36 subjects"):
        subjects(37)


def test_prompts_name_the_class_and_what_stands_beside_was_seen_in_training() -> None:
    for kind in ("object", "live"):
        prompts = prompts_for(kind)
        assert len({prompt.text for prompt in prompts}) == len(prompts) == 9
        for prompt in prompts:
            assert set(words(prompt.text.format("", "circle"))) <= set(VOCABULARY)
            if prompt.other:
                assert (prompt.other[1], prompt.other[0]) not in HELD_OUT
    for subject in subjects():
        for prompt in prompts_for(subject.kind):
            assert prompt.other is None or prompt.other[0] != subject.shape


PLACE = Wanted(("circle", "red", "small"), place="top left")
BESIDE = Wanted(("circle", "red", "small"), relation="left of", other=("triangle", "blue", "small"))


@pytest.mark.parametrize(
    ("wanted", "things", "kept", "followed"),
    [
        (PLACE, [("circle", "red", "small", 17, 17)], True, True),
        (PLACE, [("circle", "blue", "small", 17, 17)], False, True),
        (PLACE, [("circle", "red", "large", 17, 17)], False, True),
        (PLACE, [("circle", "red", "small", 47, 17)], True, False),
        (PLACE, [("square", "red", "small", 17, 17)], False, False),
        (PLACE, [("circle", "red", "small", 17, 17), ("square", "blue", "small", 47, 47)], True, False),
        (PLACE, [], False, False),
        (BESIDE, [("circle", "red", "small", 17, 32), ("triangle", "blue", "small", 47, 32)], True, True),
        (BESIDE, [("circle", "green", "small", 17, 32), ("triangle", "blue", "small", 47, 32)], False, True),
        (BESIDE, [("circle", "red", "small", 47, 32), ("triangle", "blue", "small", 17, 32)], True, False),
        (BESIDE, [("circle", "red", "small", 17, 32), ("triangle", "red", "small", 47, 32)], True, False),
        (BESIDE, [("circle", "red", "small", 17, 32)], True, False),
    ],
)
def test_an_image_is_right_when_the_subject_is_kept_and_the_prompt_followed(
    wanted: Any, things: Any, kept: bool, followed: bool
) -> None:
    match = match_subject(wanted, seen(*things))
    assert (match.kept, match.followed, match.right) == (kept, followed, kept and followed)


def test_the_truth_is_read_back_and_malformed_lines_are_named(tmp_path: Path) -> None:
    sink = Sink(tmp_path)
    write_dreambooth(sink, subjects(4))
    truth = read_subjects(tmp_path / TRUTH)
    assert len(truth) == 4 * 9
    assert "prompt_list" in (tmp_path / PROMPTS).read_text()
    assert len(list((tmp_path / FOLDER).glob("*/*.png"))) == 16
    line = (tmp_path / TRUTH).read_text().splitlines()[0]
    for broken in (line.replace('"shape"', '"form"'), line.replace('"place"', '"plaice"'), "[]"):
        (tmp_path / "broken.jsonl").write_text(broken)
        with pytest.raises(DataError, match="line 1 is not a subject's prompt"):
            read_subjects(tmp_path / "broken.jsonl")
