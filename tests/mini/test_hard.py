"""The harder world: what its scenes have in common, and that everything said about them is true."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evalsuite.mini import data
from evalsuite.mini.detect import Detection, detect, matches
from evalsuite.mini.formats.truth import read_prompts, read_scenes
from evalsuite.mini.hard import describe_hard, hard_questions, hard_scenes
from evalsuite.mini.language import VOCABULARY, words
from evalsuite.mini.render import render
from evalsuite.mini.world import COLOURS, Scene, Thing, legal
from evalsuite.mini.write import HARD_SIZES, Sizes, read_manifest, write_world

TINY = Sizes(vqa_images=6, choices=0, captioned=5, edits=0, stories=0, subjects=0)
SIDES = {
    "left of": lambda a, b: b.x - a.x > abs(a.y - b.y),
    "right of": lambda a, b: a.x - b.x > abs(a.y - b.y),
    "above": lambda a, b: b.y - a.y > abs(a.x - b.x),
    "below": lambda a, b: a.y - b.y > abs(a.x - b.x),
}


def named(scene: Scene, name: str) -> Thing:
    """The one thing that a noun phrase such as "circle", "red object" or "red circle" may mean."""
    wanted = set(name.split()) - {"object"}
    (found,) = [one for one in scene.things if wanted <= {one.colour, one.shape}]
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_scenes_are_hard_and_what_is_asked_has_one_true_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for scene in hard_scenes(rng, 2):
        assert len(scene.things) == 3
        assert scene.held_out
        assert legal(scene)
        asked = [question for question in hard_questions(scene, rng) if question.topic == "relation"]
        assert {"yes", "no"} <= {question.answer for question in asked}
        for question in asked:
            assert set(words(question.text)) <= set(VOCABULARY)
            relation = next(side for side in SIDES if f" {side} the " in question.text)
            if match := re.fullmatch(rf"is the (.+) {relation} the (.+)\?", question.text):
                first, second = (named(scene, name) for name in match.groups())
                assert SIDES[relation](first, second) == (question.answer == "yes")
                continue
            anchor = named(scene, question.text.removesuffix("?").split(f" {relation} the ")[1])
            right = [one for one in scene.things if one is not anchor and SIDES[relation](one, anchor)]
            assert len(right) == 1
            assert question.answer in (right[0].colour, right[0].shape)


def test_captions_are_true_of_the_image_and_false_of_one_with_two_things_exchanged() -> None:
    rng = np.random.default_rng(0)
    for scene in hard_scenes(rng, 20):
        seen = detect(render(scene))
        first, second, third = scene.things
        exchanged = [
            Detection(thing.shape, thing.colour, thing.size, at.x, at.y, 200)
            for thing, at in ((first, second), (second, first), (third, third))
        ]
        for caption in describe_hard(scene, rng, 5):
            assert set(words(caption.text)) <= set(VOCABULARY)
            assert "relation" in caption.states
            assert matches(scene, seen).satisfies(sorted(caption.states))
            assert not matches(scene, exchanged).satisfies(sorted(caption.states))
            assert matches(scene, exchanged).satisfies(["colour", "shape", "size"])


def test_it_is_written_with_its_truth_and_told_from_the_other_world(tmp_path: Path) -> None:
    folder = tmp_path / "hard"
    manifest = write_world(folder, 3, TINY, hard=True)
    assert read_manifest(folder) == manifest
    assert manifest.hard
    scenes = read_scenes(folder / "scenes.jsonl")
    assert len(scenes) == 11
    prompts = read_prompts(folder / "prompts.jsonl")
    assert len(prompts) == 25
    questions = json.loads((folder / "vqav2/v2_OpenEnded_mscoco_val2014_questions.json").read_text())
    assert len(questions["questions"]) == 24
    assert data.ensure_world(1, TINY, tmp_path, hard=True) != data.ensure_world(1, TINY, tmp_path)


@pytest.mark.slow
def test_the_standard_one_is_the_published_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = data.ensure_world(cache=tmp_path, hard=True)
    assert read_manifest(folder).content == data.HARD_CONTENT
    assert read_manifest(folder).sizes == HARD_SIZES
    assert not caplog.records


def test_objects_found_counts_each_right_one_and_what_is_too_much() -> None:
    from evalsuite.task.miniature import PromptTruth

    (scene,) = hard_scenes(np.random.default_rng(1), 1)
    text = describe_hard(scene, np.random.default_rng(1), 1)[0].text
    truth = PromptTruth({"a.png": scene}, {("1", text): ("colour", "shape", "relation")})

    def seen(*things: Thing) -> dict[str, float]:
        image = Image.fromarray(render(Scene(things, scene.background)))
        return dict(truth.drawn("1", "a.png", text, image).values)

    whole = seen(*scene.things)
    assert (whole["objects found"], whole["overall"], whole["objects+relation"]) == (1, 1, 1)
    assert seen(*scene.things[:2])["objects found"] == pytest.approx(2 / 3)
    other = next(colour for colour in COLOURS if colour != scene.things[0].colour)
    recoloured = replace(scene.things[0], colour=other)
    half = seen(recoloured, *scene.things[1:])
    assert half["objects found"] == pytest.approx(2 / 3)
    assert half["overall"] == 0
