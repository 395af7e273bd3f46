"""What is said about a scene is true, unambiguous, and in few words."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from evalsuite.mini.detect import detect
from evalsuite.mini.language import VOCABULARY, caption, captions, describe, questions, words
from evalsuite.mini.render import render
from evalsuite.mini.world import sample_scene

from . import oracle


@pytest.fixture(scope="module")
def seen() -> Any:
    """300 scenes, each with what the detector sees in its image."""
    rng = np.random.default_rng(11)
    scenes = [sample_scene(rng, split=("train", "test")[i % 2]) for i in range(300)]
    return [(scene, detect(render(scene))) for scene in scenes]


@pytest.mark.slow
def test_every_answer_is_what_a_second_reader_finds_in_the_image(seen: Any) -> None:
    rng = np.random.default_rng(0)
    asked = 0
    for scene, detections in seen:
        for question in questions(scene, rng):
            assert oracle.answer(question.text, detections) == question.answer, (scene, question)
            asked += 1
    assert asked > 8000


def test_every_caption_is_true_of_the_image(seen: Any) -> None:
    rng = np.random.default_rng(0)
    for scene, detections in seen:
        texts = captions(scene, rng, 5)
        assert len(set(texts)) == 5
        assert caption(scene) in texts
        for text in texts:
            assert oracle.caption_holds(text, detections), (scene, text)


def test_captions_tell_which_attributes_they_state(seen: Any) -> None:
    rng = np.random.default_rng(0)
    for scene, _ in seen:
        for said in describe(scene, rng, 7):
            assert ("size" in said.states) == bool({"small", "large"} & set(words(said.text)))
            assert ("place" in said.states) == (" the " in f" {said.text} ".replace(" the image ", " "))
            assert ("relation" in said.states) == any(
                r in said.text for r in ("left of", "right of", "above", "below")
            )
            assert {"colour", "shape"} <= said.states


def test_no_question_has_two_answers_and_none_is_asked_twice(seen: Any) -> None:
    rng = np.random.default_rng(0)
    for scene, _ in seen:
        texts = [question.text for question in questions(scene, rng)]
        assert len(texts) == len(set(texts))


def test_answer_types_follow_the_official_meaning(seen: Any) -> None:
    rng = np.random.default_rng(0)
    for scene, _ in seen:
        for question in questions(scene, rng):
            expected = "number" if question.answer.isdigit() else "other"
            assert question.kind == ("yes/no" if question.answer in ("yes", "no") else expected)


def test_yes_and_no_are_equally_frequent_within_every_topic(seen: Any) -> None:
    rng = np.random.default_rng(0)
    counts: Counter[tuple[str, str]] = Counter()
    for scene, _ in seen:
        counts.update((q.topic, q.answer) for q in questions(scene, rng) if q.kind == "yes/no")
    for topic in {topic for topic, _ in counts}:
        share = counts[topic, "yes"] / (counts[topic, "yes"] + counts[topic, "no"])
        assert 0.45 < share < 0.55, (topic, share)


def test_the_vocabulary_is_small_and_closed(seen: Any) -> None:
    assert len(VOCABULARY) <= 150
    assert list(VOCABULARY) == sorted(set(VOCABULARY))
    rng = np.random.default_rng(0)
    said = {word for scene, _ in seen for text in captions(scene, rng) for word in words(text)}
    for scene, _ in seen:
        for question in questions(scene, rng):
            assert question.text == question.text.lower()
            said.update(words(question.text) + words(question.answer))
    assert said <= set(VOCABULARY)


def test_the_vocabulary_covers_easy_vqa() -> None:
    easy_vqa = pytest.importorskip("easy_vqa")
    for texts, answers, _ in (easy_vqa.get_train_questions(), easy_vqa.get_test_questions()):
        assert {word for text in set(texts) | set(answers) for word in words(text)} <= set(VOCABULARY)


def test_asking_for_more_captions_than_there_are_is_refused(seen: Any) -> None:
    with pytest.raises(ValueError, match="captions"):
        describe(seen[0][0], np.random.default_rng(0), 50)
