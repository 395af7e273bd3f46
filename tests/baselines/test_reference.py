"""Reference rows answer as their names say."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from evalsuite.content import Image, user
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.model import Prepared
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import GenerateImages, GenerateText, Request, ScoreChoices
from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from evalsuite.task.entry import TaskOptions


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("prior") / "answers.jsonl"
    path.write_text(
        '{"question": "What color is it?", "answer": "red"}\n' * 3
        + '{"question": "What color is it?", "answer": "blue"}\n'
        + '{"question": "How many are there?", "answer": "2"}\n'
        + '{"caption": "a red circle"}\n' * 2
        + '{"caption": "a blue square"}\n'
    )
    return path


def build(name: Any, **options: Any) -> Any:
    entry, argument = load_registry().model(name)
    return entry.build(ModelOptions(argument=argument, options=options))


def ask(model: Any, text: Any, output: Any = None, seed: Any = 0) -> Any:
    request = Request((user(text),), output or GenerateText(), seed=seed)
    return model.generate_text([model.prepare(request)])[0].text


def test_prior_gives_the_majority_answer_whatever_the_image(answers: Any) -> None:
    model = build("question-prior", answers=str(answers))
    assert ask(model, "What color is it?") == "red"
    assert ask(model, "how many are there?") == "2"


def test_prior_backs_off_to_the_question_that_shares_most_words(answers: Any) -> None:
    assert ask(build("question-prior", answers=str(answers)), "how many dogs are there?") == "2"


def test_prior_names_the_letter_of_its_favourite_option(answers: Any) -> None:
    model = build("question-prior", answers=str(answers))
    assert ask(model, "What color is it? a. blue b. green c. red answer with the letter") == "c"


def test_prior_captions_with_the_most_frequent_caption(answers: Any) -> None:
    assert ask(build("question-prior", answers=str(answers)), "describe the image") == "a red circle"


def test_prior_ranks_choices_by_frequency(answers: Any) -> None:
    model = build("question-prior", answers=str(answers))
    request = Request((user("What color is it?"),), ScoreChoices(("blue", "red", "green")))
    (response,) = model.score_choices([model.prepare(request)])
    assert response.best == 1
    assert response.log_likelihoods[0] > response.log_likelihoods[2]


@pytest.mark.slow
def test_question_only_prior_on_easy_vqa_is_above_chance_and_below_looking() -> None:
    import easy_vqa

    model = build("question-prior")
    questions, truth, _ = easy_vqa.get_test_questions()
    prepared = [model.prepare(Request((user(q),), GenerateText())) for q in questions]
    right = np.mean([r.text == t for r, t in zip(model.generate_text(prepared), truth, strict=True)])
    assert 0.55 < right < 0.8


def test_random_depends_on_the_seed_only(answers: Any) -> None:
    model = build("random", answers=str(answers))
    draws = {ask(model, "What color is it?", seed=seed) for seed in range(50)}
    assert draws == {"red", "blue", "2"}
    assert ask(model, "What color is it?", seed=7) == ask(model, "What color is it?", seed=7)


def test_random_images_have_the_size_asked_for(answers: Any) -> None:
    model = build("random", answers=str(answers))
    request = Request((user("a cat"),), GenerateImages(width=20, height=10, count=2))
    (response,) = model.generate_images([model.prepare(request)])
    sizes = [PilImage.open(io.BytesIO(image.read())).size for image in response.images]
    assert sizes == [(20, 10), (20, 10)]
    assert response.images[0].sha256() != response.images[1].sha256()


def test_copy_source_returns_the_pixels_of_the_source() -> None:
    buffer = io.BytesIO()
    source = PilImage.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    source.save(buffer, format="PNG")
    model = build("copy-source")
    request = Request((user(Image(buffer.getvalue()), "make it red"),), GenerateImages())
    (response,) = model.generate_images([model.prepare(request)])
    assert np.array_equal(
        np.asarray(PilImage.open(io.BytesIO(response.images[0].read()))), np.asarray(source)
    )


def test_copy_source_refuses_a_prompt_without_image() -> None:
    with pytest.raises(SampleError, match="holds none"):
        build("copy-source").prepare(Request((user("a cat"),), GenerateImages()))


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "empty"), ('{"question": "a?"}', "line 1"), ("[1]", "line 1"), ("{", "line 1")],
)
def test_bad_training_answers_name_file_and_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        build("question-prior", answers=str(path))


def test_missing_training_answers_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do not exist"):
        build("random", answers=str(tmp_path / "none.jsonl"))


def test_majority_gives_the_same_answer_to_every_question(answers: Any) -> None:
    model = build("majority", answers=str(answers))
    assert ask(model, "What color is it?") == ask(model, "How many are there?") == "red"
    assert ask(model, "describe the image") == "a red circle"
    assert ask(model, "How many? a. blue b. red answer with the letter") == "b"
    scored = Request((user("How many?"),), ScoreChoices(("2", " Red", "seven")))
    (response,) = model.score_choices([model.prepare(scored)])
    assert response.log_likelihoods == (1.0, 3.0, 0.0)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three training images of one colour each."""
    folder = tmp_path_factory.mktemp("album")
    rows = []
    for colour, shape in (("red", "circle"), ("blue", "square"), ("green", "triangle")):
        PilImage.fromarray(flat(colour)).save(folder / f"{colour}.png")
        rows.append(
            {
                "image": f"{colour}.png",
                "caption": f"a {colour} {shape}",
                "answers": {"What color is it?": colour},
            }
        )
    rows[2].pop("answers")
    path = folder / "pictures.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def flat(colour: Any) -> Any:
    shades = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 200, 30)}
    return np.full((64, 64, 3), shades[colour], dtype=np.uint8)


def shown(colour: Any) -> Any:
    buffer = io.BytesIO()
    PilImage.fromarray(flat(colour)).save(buffer, "PNG")
    return Image(buffer.getvalue())


def test_nearest_neighbour_repeats_what_was_said_of_the_nearest_image(album: Any) -> None:
    model = build("nearest-neighbour", images=str(album))

    def said(colour: Any, text: Any) -> Any:
        request = Request((user(shown(colour), text),), GenerateText())
        return model.generate_text([model.prepare(request)])[0].text

    assert [said(c, "describe the image") for c in ("blue", "red")] == ["a blue square", "a red circle"]
    assert said("blue", "what color is it?") == "blue"
    assert said("green", "what color is it?") in ("red", "blue"), "the nearest that was asked about"
    assert said("blue", "what color is it? a. red b. blue answer with the letter") == "b"
    assert said("blue", "is anybody there?") == ""
    with pytest.raises(SampleError, match="the prompt holds none"):
        model.prepare(Request((user("?"),), GenerateText()))


def test_retrieval_gives_the_images_with_the_nearest_captions_in_their_order(album: Any) -> None:
    model = build("retrieval", pictures=str(album))  # the deprecated name of `images`
    request = Request((user("a green triangle"),), GenerateImages(count=2))
    (response,) = model.generate_images([model.prepare(request)])
    assert response.images[0].sha256() == Image(path=album.parent / "green.png").sha256()
    assert len({image.sha256() for image in response.images}) == 2
    with pytest.raises(SampleError, match="has 3 images, not 4"):
        model.prepare(Request((user("a"),), GenerateImages(count=4)))


@pytest.mark.parametrize("text", ["", "not json", '{"image": "x.png"}'])
def test_an_album_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pictures.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=r"pictures\.jsonl"):
        build("retrieval", images=str(path))


def test_an_image_outside_the_album_s_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "album" / "pictures.jsonl"
    path.parent.mkdir()
    PilImage.fromarray(flat("red")).save(tmp_path / "other.png")
    path.write_text('{"image": "../other.png", "caption": "not of this album"}')
    with pytest.raises(DataError, match=r"\.\./other\.png"):
        build("retrieval", images=str(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["random", "majority", "question-prior", "retrieval", "copy-source", "oracle"]
)
def test_an_option_that_a_reference_row_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="no option 'anwers'"):
        build(name, anwers="mine.jsonl")


@pytest.mark.slow
def test_the_oracle_reaches_what_people_reach_and_its_runs_say_that_it_was_given_the_answers(
    tmp_path: Path,
) -> None:
    tasks = ("mini-vqav2", "mini-mmbench", "mini-mmbench-likelihood", "mini-coco-caption", "mini-magicbrush")
    spec = RunSpec(
        model=ModelSpec(name="oracle"), tasks=tuple(TaskSpec(name=name) for name in tasks), limit=12
    )
    outcome = run(spec, tmp_path / "run")
    assert outcome.failed == 0
    with RunReader(outcome.path) as reader:
        assert reader.manifest.model is not None
        assert reader.manifest.model.details["reads_annotations"] is True
        values = {result.info.name: result.headline().value for result in reader.metrics()}
        captions = {getattr(record.response, "text", None) for record in reader.records("mini-coco-caption")}
    assert values["mini-mmbench"] == values["mini-mmbench-likelihood"] == 1.0
    assert values["mini-magicbrush"] == 1.0
    assert 0.9 < values["mini-vqav2"] <= 1.0, "people disagree"
    assert 0 < values["mini-coco-caption"] < 10, "a person against the others, not against himself"
    assert len(captions) > 1


def test_no_other_model_is_ever_given_the_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that has the method but not the entry's permission is prepared as any other."""
    from evalsuite.engine.plan import Item
    from evalsuite.engine.prepare import make_ready

    class Thief:
        info: Any = None

        def prepare(self, request: Request) -> Prepared:
            raise SampleError("prepared as any other")

        def prepare_annotated(self, request: Request, answer: Any) -> Prepared:
            raise AssertionError("was given the answer")

        generate_text = prepare

    registry = load_registry()
    task = registry.task("mini-vqav2").build(TaskOptions())
    ready = make_ready(task, Thief(), 0, Item(next(task.samples())))
    assert ready.error == "prepared as any other"
    assert [e.name for e in registry.models.values() if e.reads_annotations] == ["oracle"]


def test_rows_that_answer_otherwise_from_the_same_answers_are_told_apart(answers: Any) -> None:
    known = load_registry().models
    prints = {
        known[name].build(ModelOptions(options={"answers": str(answers)})).info.fingerprint
        for name in ("random", "majority", "question-prior")
    }
    assert len(prints) == 3
