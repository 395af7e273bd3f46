"""What a server can do is found out before a task; bare text and chat template are named on both sides."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from evalsuite.content import user
from evalsuite.errors import SampleError, SpecError, UnavailableError
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import GenerateText, Request, ScoreChoices
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from evalsuite.store.forms import form_of
from tests.baselines import tiny
from tests.baselines.families import picture, save
from tests.endpoint.server import serving

HERE = "tests.baselines.test_server_probe"
FOLDER = "EVALSUITE_TEST_CHECKPOINT"


def has_image(body: dict[str, Any]) -> bool:
    content = body["messages"][-1]["content"]
    return not isinstance(content, str) and any(part["type"] == "image_url" for part in content)


def blind(body: dict[str, Any]) -> Any:
    """A text-only model: an image is an internal error to it."""
    if has_image(body):
        return {"status": 500, "error": {"message": "mm processor is None"}}
    return "no"


def dropping(body: dict[str, Any]) -> Any:
    return {"text": "Yes", "usage": {"prompt_tokens": 12}}


def seeing(body: dict[str, Any]) -> Any:
    return {"text": "Yes", "usage": {"prompt_tokens": 300 if has_image(body) else 12}}


def uncounted(body: dict[str, Any]) -> Any:
    return {"text": "Yes", "usage": {"prompt_tokens": None}}


def silent(body: dict[str, Any]) -> Any:
    """Reasons until its tokens are used up."""
    return {
        "text": "", "message": {"content": None, "reasoning_content": "hm"}, "finish_reason": "length",
        "usage": {"prompt_tokens": 300 if has_image(body) else 12},
    }  # fmt: skip


def without_logprobs(body: dict[str, Any]) -> Any:
    return {"text": "A", "logprobs": None}


def refusing_logprobs(body: dict[str, Any]) -> Any:
    if body.get("logprobs"):
        return {"status": 400, "error": {"message": "logprobs is not supported here"}}
    return "A"


def wrong_key(body: dict[str, Any]) -> Any:
    return {"status": 400, "error": {"message": "API key not valid. Please pass a valid API key."}}


def build(name: str, **options: str) -> Any:
    entry, argument = load_registry().model(name)
    given = {"backoff": "0.01", **options} if name.startswith("openai") else options
    return entry.build(ModelOptions(argument=argument, device="cpu", options=given))


def pope(folder: Path, count: int = 12) -> Path:
    """POPE's official layout with generated images."""
    images = folder / "val2014"
    images.mkdir(parents=True)
    rows = []
    for i in range(count):
        name = f"COCO_val2014_{i:012}.jpg"
        pil.new("RGB", (20, 20), (i * 20, 0, 0)).save(images / name)
        label = "no" if i % 2 else "yes"
        rows.append({"question_id": i, "image": name, "text": "Is there a dog?", "label": label})
    lines = "\n".join(map(json.dumps, rows))
    (folder / "coco_pope_popular.json").write_text(lines)
    return folder


def measure(folder: Path, answers: str, **options: str) -> Any:
    with serving(folder, f"{HERE}:{answers}") as local:
        spec = RunSpec(
            model=ModelSpec(
                name="openai:judge", options={"base_url": local.url, "backoff": "0.01", **options}
            ),
            tasks=(TaskSpec(name="pope-popular", data=pope(folder / "data")),),
        )
        try:
            return run(spec, folder / "run", ExecutionOptions()), local.requests()
        except UnavailableError as error:
            return error, local.requests()


@pytest.mark.slow
def test_a_text_only_server_is_found_out_by_one_image(tmp_path: Path) -> None:
    error, requests = measure(tmp_path, "blind")
    assert isinstance(error, UnavailableError)
    assert "not the same with an image" in str(error)
    assert "mm processor is None" in str(error)
    assert "--blind" in str(error)
    assert len(requests) <= 4, "not twelve samples, seven times each"


@pytest.mark.slow
def test_a_server_that_drops_images_has_a_mark_on_its_number(tmp_path: Path) -> None:
    from evalsuite.leaderboards import load, table

    measure(tmp_path, "dropping")
    with RunReader(tmp_path / "run") as reader:
        assert any("drop images" in note.text for note in reader.notes())
    made = table(load([tmp_path / "run"]), all_metrics=True)
    cells = [cell for cell in made.rows[0].cells if cell is not None]
    assert cells
    assert all("‼" in cell.marks for cell in cells)
    assert any("12 tokens without an image, and 12 with one" in note for note in made.notes)


@pytest.mark.slow
@pytest.mark.parametrize("answers", ["seeing", "uncounted"])
def test_a_server_that_sees_or_does_not_count_has_none(answers: str, tmp_path: Path) -> None:
    measure(tmp_path, answers)
    with RunReader(tmp_path / "run") as reader:
        assert not any("drop images" in note.text for note in reader.notes())
        assert reader.counts()["pope-popular"].answered == 12


@pytest.mark.slow
def test_a_model_that_gives_no_answer_still_takes_images(tmp_path: Path) -> None:
    outcome, _ = measure(tmp_path, "silent")
    assert outcome.failed == 12
    assert outcome.exit_code == 1
    with RunReader(tmp_path / "run") as reader:
        assert all("used up by reasoning" in record.error for record in reader.failures())


@pytest.mark.slow
def test_a_gateway_that_answers_a_wrong_key_with_400_stops_the_run(tmp_path: Path) -> None:
    error, requests = measure(tmp_path, "wrong_key")
    assert isinstance(error, UnavailableError)
    assert "refuses the key in OPENAI_API_KEY" in str(error)
    assert len(requests) == 1


@pytest.mark.slow
def test_who_wants_no_probe_has_none(tmp_path: Path) -> None:
    _, requests = measure(tmp_path, "seeing", probe="no")
    assert len(requests) == 12


LETTERS = Request((user("Which? A or B?"),), ScoreChoices((" A", " B")))
SENTENCES = Request((user("To cut bread,"),), ScoreChoices((" take a knife", " take a spoon")))


@pytest.mark.slow
@pytest.mark.parametrize("answers", ["without_logprobs", "refusing_logprobs"])
def test_a_server_without_log_probabilities_is_found_out_before_the_task(
    answers: str, tmp_path: Path
) -> None:
    with serving(tmp_path, f"{HERE}:{answers}") as local:
        model = build("openai:judge", base_url=local.url)
        with pytest.raises(UnavailableError, match="gives no log-probabilities") as caught:
            model.probe(LETTERS)
        assert len(local.requests()) == 1
    assert "protocol" not in str(caught.value), "the task may have none that generates"


def test_sentences_are_not_scored_by_a_first_token(tmp_path: Path) -> None:
    with serving(tmp_path) as local:
        with pytest.raises(UnavailableError, match=r"longer than a token.*template=plain"):
            build("openai:judge", base_url=local.url).probe(SENTENCES)
        assert local.requests() == []


# bare text: the same weights, served and local


def of_checkpoint(body: dict[str, Any]) -> dict[str, Any]:
    """`completions` with echo, computed with the checkpoint whose folder is in the environment."""
    import torch
    import transformers as hf

    folder = os.environ[FOLDER]
    model = hf.AutoModelForCausalLM.from_pretrained(folder).eval()
    words = hf.AutoTokenizer.from_pretrained(folder)
    ids = words(body["prompt"], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        found = model.generate(ids, max_new_tokens=body["max_tokens"], do_sample=False)
        logits = model(found).logits.log_softmax(-1)
    if not body.get("echo"):
        text = words.decode(found[0, ids.shape[1] :], skip_special_tokens=True)
        usage = {"prompt_tokens": ids.shape[1], "completion_tokens": found.shape[1] - ids.shape[1]}
        return {"choices": [{"text": text, "finish_reason": "length"}], "usage": usage}
    tokens = [str(words.decode(token)) for token in found[0]]
    values = [None, *(float(logits[0, i, found[0, i + 1]]) for i in range(found.shape[1] - 1))]
    offsets = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
    logprobs = {"tokens": tokens, "token_logprobs": values, "text_offset": offsets}
    return {"choices": [{"text": "".join(tokens), "logprobs": logprobs, "finish_reason": "length"}]}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "llama"
    save(tiny.llama, folder)
    return folder


@pytest.fixture
def served(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv(FOLDER, str(llama))
    with serving(tmp_path, f"{HERE}:of_checkpoint") as local:
        yield local


@pytest.mark.slow
def test_bare_text_gives_the_same_likelihoods_served_and_local(llama: Path, served: Any) -> None:
    local, remote = build(f"causal:{llama}"), build("openai:llama", base_url=served.url, template="plain")
    requests = [LETTERS, SENTENCES, Request((user("no "),), ScoreChoices(("a", "bcd", " e")))]
    mine = local.score_choices([local.prepare(request) for request in requests])
    theirs = remote.score_choices([remote.prepare(request) for request in requests])
    for a, b in zip(mine, theirs, strict=True):
        assert b.log_likelihoods == pytest.approx(a.log_likelihoods, abs=1e-3)
        assert b.token_counts == a.token_counts
    remote.probe(SENTENCES)


@pytest.mark.slow
def test_bare_text_is_continued_alike_served_and_local(llama: Path, served: Any) -> None:
    request = Request((user("what color is it"),), GenerateText(max_new_tokens=8))
    local = build(f"causal:{llama}", template="plain")
    remote = build("openai:llama", base_url=served.url, template="plain")
    (mine,), (theirs,) = ([m.generate_text([m.prepare(request)])[0]] for m in (local, remote))
    assert mine.text == theirs.text
    assert served.requests()[-1]["path"].endswith("/v1/completions")
    with pytest.raises(SampleError, match="no place for an image"):
        remote.prepare(Request((user(picture(0), "what?"),), GenerateText()))


@pytest.mark.slow
def test_what_was_sent_is_part_of_the_protocol(llama: Path, served: Any) -> None:
    forms = {
        "bare, local": build(f"causal:{llama}"),
        "bare, served": build("openai:llama", base_url=served.url, template="plain"),
        "chat, local": build(f"causal:{llama}", template="chat"),
        "chat, served": build("openai:llama", base_url=served.url),
    }
    assert {name: form_of(model.info, "choices") for name, model in forms.items()} == {
        "bare, local": "", "bare, served": "", "chat, local": "chat template",
        "chat, served": "chat template, first token",
    }  # fmt: skip
    assert form_of(forms["chat, served"].info, "text") == ""
    assert form_of(forms["bare, served"].info, "text") == "plain text"
    with pytest.raises(SpecError, match="template"):
        build("openai:llama", base_url=served.url, template="jinja")


def test_two_forms_never_share_a_column() -> None:
    from evalsuite.leaderboards import table
    from tests.leaderboards.frames import frame, number

    rows = frame(number(model="local"), number(model="served", form="chat template, first token"))
    made = table(rows)
    assert len(made.columns) == 2
    assert any("chat template, first token" in column.title for column in made.columns)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("off", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        ("on", {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}),
        ("low", {"reasoning_effort": "low"}),
    ],
)
def test_the_switch_of_reasoning_models_is_an_option(
    value: str, sent: dict[str, dict[str, bool]] | dict[str, str], tmp_path: Path
) -> None:
    with serving(tmp_path) as local:
        model = build("openai:judge", base_url=local.url, thinking=value, extra_body='{"top_k": 1}')
        model.generate_text([model.prepare(Request((user("hi"),), GenerateText()))])
        body = local.requests()[-1]["body"]
        assert {name: body[name] for name in sent} == sent
        assert body["top_k"] == 1
        assert model.info.details["thinking"] == value
        with pytest.raises(SpecError, match="thinking"):
            build("openai:judge", base_url=local.url, thinking="maybe")


def test_the_switch_reaches_a_local_chat_template(tmp_path: Path) -> None:
    def thinker() -> tiny.Made:
        model, words = tiny.llama()
        words.chat_template = (
            "{{ messages[0].content }}{% if add_generation_prompt %}assistant:"
            "{% if enable_thinking is defined and not enable_thinking %}<think></think>"
            "{% else %}<think>{% endif %}{% endif %}"
        )
        return model, words

    save(thinker, tmp_path / "thinker")
    request = Request((user("hi"),), GenerateText(max_new_tokens=2))
    on, off = (build(f"causal:{tmp_path / 'thinker'}", thinking=value) for value in ("on", "off"))
    assert on.prepare(request).payload[0].endswith("<think>")
    assert off.prepare(request).payload[0].endswith("</think>")
    assert "reasoning_opened" in on.generate_text([on.prepare(request)])[0].details
    assert "reasoning_opened" not in off.generate_text([off.prepare(request)])[0].details
    with pytest.raises(SpecError, match="thinking"):
        build(f"causal:{tmp_path / 'thinker'}", thinking="perhaps")
