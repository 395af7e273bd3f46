"""Stories read back: every true story is followed by its own images, and only by them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.mini.detect import detect
from evalsuite.mini.reading import Sentence, expected, follows, read_sentence
from evalsuite.mini.render import render
from evalsuite.mini.stories import sample_story
from evalsuite.mini.world import Scene, Split, Thing, sample_scene


def steps(story: Any) -> Any:
    return list(zip(story[::2], story[1::2], strict=True))


def seen(scene: Any) -> Any:
    return detect(render(scene))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_image_of_every_story_follows_from_its_sentence_and_the_image_before(split: Split) -> None:
    random = np.random.default_rng(4)
    kinds = set()
    for _ in range(80):
        before: list[Any] = []
        for text, scene in steps(sample_story(random, split)):
            sentence = read_sentence(text)
            assert sentence is not None, text
            kinds.add(sentence.kind)
            assert follows(text, before, seen(scene)), text
            before = seen(scene)
    assert kinds == {"opening", "add", "remove", "move", "recolour", "reshape", "resize"}


@pytest.mark.slow
def test_another_image_or_the_one_before_does_not_follow() -> None:
    random = np.random.default_rng(5)
    wrong = 0
    for _ in range(40):
        for (_, first), (text, second) in pairwise(steps(sample_story(random, "test"))):
            assert not follows(text, seen(first), seen(first)), text
            other = sample_scene(random, split="test")
            wrong += follows(text, seen(first), seen(other))
            assert follows(text, seen(first), seen(second))
    assert wrong <= 2


CIRCLE = Thing("circle", "red", "small", 17, 17, 8)
SQUARE = Thing("square", "blue", "large", 47, 17, 13)


def scene(*things: Any) -> Any:
    return Scene(things, (245, 245, 245))


@pytest.mark.parametrize(
    "text",
    [
        "now the triangle is red .",  # is not there
        "now it is small .",  # which one?
        "now the red circle is red .",  # changes nothing
        "then the green object is not there .",
        "then there is a small red square above the green circle .",
    ],
)
def test_a_sentence_about_what_is_not_there_can_have_no_right_image(text: str) -> None:
    sentence = read_sentence(text)
    assert sentence is not None
    assert expected(sentence, seen(scene(CIRCLE, SQUARE))) is None


def understood(text: str) -> Sentence:
    sentence = read_sentence(text)
    assert sentence is not None
    return sentence


def test_the_last_thing_cannot_be_taken_away_and_the_others_stay() -> None:
    assert expected(understood("now it is not there ."), seen(scene(CIRCLE))) is None
    left = expected(understood("now the circle is not there ."), seen(scene(CIRCLE, SQUARE)))
    assert left is not None
    assert [thing.shape for thing in left.things] == ["square"]
    assert follows("now the circle is not there .", seen(scene(CIRCLE, SQUARE)), seen(scene(SQUARE)))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60) | st.sampled_from(["it is red", "now it is red", "now it is red . then", "."]))
def test_other_texts_are_no_sentences(text: Any) -> None:
    assert read_sentence(text) is None
    assert not follows(text, [], [])
