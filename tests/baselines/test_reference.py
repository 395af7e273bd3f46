"""Reference rows answer as their names say."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as PilImage

from evalsuite.content import Image, user
from evalsuite.errors import DataError, SampleError
from evalsuite.registry import ModelOptions, load_registry
from evalsuite.request import GenerateImages, GenerateText, Request, ScoreChoices


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    path = tmp_path_factory.mktemp("prior") / "answers.jsonl"
    path.write_text(
        '{"question": "What color is it?", "answer": "red"}\n' * 3
        + '{"question": "What color is it?", "answer": "blue"}\n'
        + '{"question": "How many are there?", "answer": "2"}\n'
        + '{"caption": "a red circle"}\n' * 2
        + '{"caption": "a blue square"}\n'
    )
    return path


def build(name, **options):
    entry, argument = load_registry().model(name)
    return entry.build(ModelOptions(argument=argument, options=options))


def ask(model, text, output=None, seed=0):
    request = Request((user(text),), output or GenerateText(), seed=seed)
    return model.generate_text([model.prepare(request)])[0].text


def test_prior_gives_the_majority_answer_whatever_the_image(answers):
    model = build("question-prior", answers=str(answers))
    assert ask(model, "What color is it?") == "red"
    assert ask(model, "how many are there?") == "2"


def test_prior_backs_off_to_the_question_that_shares_most_words(answers):
    assert ask(build("question-prior", answers=str(answers)), "how many dogs are there?") == "2"


def test_prior_names_the_letter_of_its_favourite_option(answers):
    model = build("question-prior", answers=str(answers))
    assert ask(model, "What color is it? a. blue b. green c. red answer with the letter") == "c"


def test_prior_captions_with_the_most_frequent_caption(answers):
    assert ask(build("question-prior", answers=str(answers)), "describe the image") == "a red circle"


def test_prior_ranks_choices_by_frequency(answers):
    model = build("question-prior", answers=str(answers))
    request = Request((user("What color is it?"),), ScoreChoices(("blue", "red", "green")))
    (response,) = model.score_choices([model.prepare(request)])
    assert response.best == 1
    assert response.log_likelihoods[0] > response.log_likelihoods[2]


def test_question_only_prior_on_easy_vqa_is_above_chance_and_below_looking():
    import easy_vqa

    model = build("question-prior")
    questions, truth, _ = easy_vqa.get_test_questions()
    prepared = [model.prepare(Request((user(q),), GenerateText())) for q in questions]
    right = np.mean([r.text == t for r, t in zip(model.generate_text(prepared), truth, strict=True)])
    assert 0.55 < right < 0.8


def test_random_depends_on_the_seed_only(answers):
    model = build("random", answers=str(answers))
    draws = {ask(model, "What color is it?", seed=seed) for seed in range(50)}
    assert draws == {"red", "blue", "2"}
    assert ask(model, "What color is it?", seed=7) == ask(model, "What color is it?", seed=7)


def test_random_images_have_the_size_asked_for(answers):
    model = build("random", answers=str(answers))
    request = Request((user("a cat"),), GenerateImages(width=20, height=10, count=2))
    (response,) = model.generate_images([model.prepare(request)])
    sizes = [PilImage.open(io.BytesIO(image.read())).size for image in response.images]
    assert sizes == [(20, 10), (20, 10)]
    assert response.images[0].sha256() != response.images[1].sha256()


def test_copy_source_returns_the_pixels_of_the_source():
    buffer = io.BytesIO()
    source = PilImage.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    source.save(buffer, format="PNG")
    model = build("copy-source")
    request = Request((user(Image(buffer.getvalue()), "make it red"),), GenerateImages())
    (response,) = model.generate_images([model.prepare(request)])
    assert np.array_equal(
        np.asarray(PilImage.open(io.BytesIO(response.images[0].read()))), np.asarray(source)
    )


def test_copy_source_refuses_a_prompt_without_image():
    with pytest.raises(SampleError, match="holds none"):
        build("copy-source").prepare(Request((user("a cat"),), GenerateImages()))


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "empty"), ('{"question": "a?"}', "line 1"), ("[1]", "line 1"), ("{", "line 1")],
)
def test_bad_training_answers_name_file_and_line(tmp_path, content, message):
    path = tmp_path / "answers.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        build("question-prior", answers=str(path))


def test_missing_training_answers_are_named(tmp_path):
    with pytest.raises(DataError, match="do not exist"):
        build("random", answers=str(tmp_path / "none.jsonl"))
