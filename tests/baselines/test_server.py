"""The server adapters against a real server process on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import user
from evalsuite.errors import SampleError, SpecError, UnavailableError
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import Registry, load_registry
from evalsuite.request import GenerateImages, GenerateText, Request, ScoreChoices
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from tests.baselines.families import picture
from tests.endpoint.server import Local, serving
from tests.engine.support import PLUGIN

SUMS = "tests.baselines.test_server:sums"
LETTERS = "tests.baselines.test_server:letters"


def sums(body: dict[str, Any]) -> str:
    """The answer to the sum in the last turn."""
    words = body["messages"][-1]["content"].replace("+", " ").replace("=", " ").replace("?", " ").split()
    numbers = [int(word) for word in words if word.lstrip("-").isdigit()]
    return str(sum(numbers))


def letters(body: dict[str, Any]) -> str:
    return "B"


@pytest.fixture(scope="module")
def registry() -> Registry:
    known = load_registry()
    known.add_file(PLUGIN)
    return known


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with serving(tmp_path_factory.mktemp("server"), delay=0.05) as local:
        yield local


def build(registry: Registry, name: str, url: str, **options: str) -> Any:
    entry, argument = registry.model(name)
    given = {"base_url": url, "backoff": "0.01", **options}
    return entry.build(ModelOptions(argument=argument, options=given))


def ask(model: Any, requests: Any) -> Any:
    return model.generate_text([model.prepare(request) for request in requests])


def test_a_batch_goes_out_at_once_and_answers_come_back_in_its_order(
    registry: Registry, server: Local
) -> None:
    model = build(registry, "openai:judge", server.url, in_flight="8")
    before = len(server.requests())
    requests = [Request((user(f"question {i}"),), GenerateText()) for i in range(24)]
    assert [response.text for response in ask(model, requests)] == [f"question {i}" for i in range(24)]
    times = [request["time"] for request in server.requests()[before:]]
    together = max(sum(start <= other < start + 0.05 for other in times) for start in times)
    assert 2 <= together <= 16, "several in flight, and not all at once"


def test_images_travel_as_data_uris_in_their_place(registry: Registry, server: Local) -> None:
    model = build(registry, "openai:judge", server.url)
    (response,) = ask(model, [Request((user("before ", picture(0), " after"),), GenerateText())])
    assert response.text == "before <image> after"
    part = server.requests()[-1]["body"]["messages"][0]["content"][1]
    assert part["image_url"]["url"].startswith("data:image/png;base64,")


def test_decoding_parameters_are_the_protocols_and_can_be_left_to_the_server(
    registry: Registry, server: Local
) -> None:
    output = GenerateText(max_new_tokens=7, temperature=0.5, top_p=0.9, stop=("\n",))
    ask(build(registry, "openai:judge", server.url), [Request((user("hi"),), output, seed=3)])
    body = server.requests()[-1]["body"]
    assert {name: body[name] for name in ("max_tokens", "temperature", "top_p", "seed", "stop")} == {
        "max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "seed": 3, "stop": ["\n"]
    }  # fmt: skip
    model = build(registry, "openai:judge", server.url, omit="temperature,top_p,seed")
    ask(model, [Request((user("hi"),), output)])
    assert not {"temperature", "top_p", "seed"} & set(server.requests()[-1]["body"])
    assert model.info.details["omitted"] == ["temperature", "top_p", "seed"]


def test_faults_that_pass_are_tried_again_and_counted(registry: Registry, server: Local) -> None:
    server.script({"status": 500}, {"cut": True}, {})
    (response,) = ask(
        build(registry, "openai:judge", server.url), [Request((user("still here"),), GenerateText())]
    )
    assert response.text == "still here"
    assert response.details["retries"] == 2


def test_one_refused_request_costs_its_own_sample_only(registry: Registry, server: Local) -> None:
    server.script({"status": 400, "error": {"message": "too odd"}})
    model = build(registry, "openai:judge", server.url, in_flight="1")
    answers = ask(model, [Request((user(text),), GenerateText()) for text in ("odd", "even")])
    assert isinstance(answers[0], SampleError)
    assert "too odd" in str(answers[0])
    assert answers[1].text == "even"


@pytest.mark.slow
def test_letters_are_scored_by_the_first_tokens_log_probabilities(registry: Registry, tmp_path: Path) -> None:
    with serving(tmp_path, LETTERS) as local:
        model = build(registry, "openai:judge", local.url)
        request = Request((user("Which? A or B?"),), ScoreChoices((" A", " B")))
        (response,) = model.score_choices([model.prepare(request)])
        assert response.best == 1
        assert response.log_likelihoods == (-3.0, -0.5), "A is unseen: at most the least that was given"
        assert response.details["at_most"] == ["A"]
        assert response.details["model"] == "judge-2026-01-01"
        assert response.details["prompt_tokens"] > 0
        words = Request((user("Which?"),), ScoreChoices((" a long answer", " another")))
        (refused,) = model.score_choices([model.prepare(words)])
        assert isinstance(refused, SampleError)
        assert "one token" in str(refused)


def test_beams_and_prefill_are_refused_until_the_user_says_what_to_do(
    registry: Registry, server: Local
) -> None:
    beams = Request((user("hi"),), GenerateText(num_beams=5))
    with pytest.raises(SampleError, match="wants 5 beams"):
        build(registry, "openai:judge", server.url).prepare(beams)
    (response,) = ask(build(registry, "openai:judge", server.url, ignore_beams="yes"), [beams])
    assert response.text == "hi"
    filled = Request((user("hi"),), GenerateText(), prefill="Well,")
    (refused,) = ask(build(registry, "openai:judge", server.url), [filled])
    assert isinstance(refused, SampleError)


def test_images_are_drawn_and_edited(registry: Registry, server: Local) -> None:
    model = build(registry, "openai-images:painter", server.url, size="256x256")
    draw = Request((user("a cat"),), GenerateImages(count=2))
    edit = Request((user(picture(0), "make it red"),), GenerateImages())
    drawn, edited = model.generate_images([model.prepare(draw), model.prepare(edit)])
    assert (len(drawn.images), len(edited.images)) == (2, 1)
    assert drawn.details["revised_prompts"] == ["a pixel", "a pixel"]
    generations, edits = sorted(server.requests()[-2:], key=lambda request: "edits" in request["path"])
    assert generations["body"]["size"] == "256x256"
    assert "make it red" in edits["body"]["form"]
    with pytest.raises(SampleError, match="guidance_scale"):
        model.prepare(Request((user("a cat"),), GenerateImages(guidance_scale=7.5)))


@pytest.mark.slow
def test_a_whole_run_is_answered_by_the_server_and_a_failure_is_a_record(
    registry: Registry, tmp_path: Path
) -> None:
    with serving(tmp_path, SUMS) as local:
        local.script({"status": 400, "error": {"message": "not this one"}})
        spec = RunSpec(
            model=ModelSpec(
                name="openai:judge", options={"base_url": local.url, "in_flight": "1", "name": "served"}
            ),
            tasks=(TaskSpec(name="sums", options={"count": "12"}),),
            plugins=(PLUGIN,),
        )
        outcome = run(spec, tmp_path / "run", ExecutionOptions(batch_size=6), registry)
        with RunReader(tmp_path / "run") as reader:
            assert (reader.counts()["sums"].answered, reader.counts()["sums"].failed) == (11, 1)
            assert "not this one" in next(iter(reader.failures())).error
            assert reader.metrics()[0].headline().value == 1.0
            assert reader.model_name == "served"
        assert outcome.failed == 1
        assert len(local.requests()) == 12, "nobody was asked twice, not even for a self-check"


@pytest.mark.slow
def test_a_server_that_goes_away_stops_the_run_which_goes_on_later(
    registry: Registry, tmp_path: Path
) -> None:
    def spec(url: str) -> RunSpec:
        return RunSpec(
            model=ModelSpec(name="openai:judge", options={"base_url": url, "in_flight": "2", "retries": "0"}),
            tasks=(TaskSpec(name="sums", options={"count": "12"}),),
            plugins=(PLUGIN,),
        )

    with serving(tmp_path, SUMS) as local:
        fault = {"status": 429, "error": {"message": "slow down"}}
        local.script({}, {}, {}, {}, fault)
        with pytest.raises(UnavailableError, match="slow down"):
            run(spec(local.url), tmp_path / "run", ExecutionOptions(batch_size=4), registry)
        with RunReader(tmp_path / "run") as reader:
            counts = reader.counts()["sums"]
            # the second batch too: the request beside the refused one was answered
            assert (counts.answered, counts.failed) == (5, 0), "what was answered is kept, nothing is failed"
        outcome = run(spec(local.url), tmp_path / "run", ExecutionOptions(batch_size=4), registry)
        assert outcome.exit_code == 0


def test_options_are_checked_before_anything_is_asked(registry: Registry, server: Local) -> None:
    with pytest.raises(SpecError, match="Did you mean base_url"):
        build(registry, "openai:judge", server.url, base_ur="x")
    with pytest.raises(SpecError, match="in_flight"):
        build(registry, "openai:judge", server.url, in_flight="many")
    with pytest.raises(SpecError, match="no parameter 'temprature'"):
        build(registry, "openai:judge", server.url, omit="temprature")
    with pytest.raises(SpecError, match="prefill"):
        build(registry, "openai:judge", server.url, prefill="perhaps")
    with pytest.raises(UnavailableError, match="MY_KEY"):
        build(registry, "openai:judge", server.url, key_env="MY_KEY")
