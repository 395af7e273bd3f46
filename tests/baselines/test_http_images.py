"""Image APIs described by a file, against real servers that speak their protocols."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from evalsuite_baselines.http_images.protocol import SHIPPED, read

from evalsuite.content import Image, user
from evalsuite.errors import SampleError, SpecError, UnavailableError
from evalsuite.model import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import GenerateImages, ImageResponse, Request
from evalsuite.running.usage import _charged
from tests.baselines.image_service import Service, png, serving


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("GEMINI_API_KEY", "secret-1")
    monkeypatch.setenv("REPLICATE_API_TOKEN", "secret-2")
    with serving() as found:
        yield found


def build(service: Service, kind: str, **options: str) -> Any:
    entry, argument = load_registry().model(f"http-images:{kind}")
    given = {"base_url": service.address, "backoff": "0.01", "retries": "2", **options}
    return entry.build(ModelOptions(argument=argument, options=given))


@pytest.fixture
def quick(tmp_path: Path) -> Any:
    """A shipped description whose jobs are asked about without a pause."""

    def written(kind: str) -> str:
        content = yaml.safe_load((SHIPPED / f"{kind}.yaml").read_text(encoding="utf-8"))
        content["poll"]["every"] = 0.01
        path = tmp_path / f"{kind}.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return str(path)

    return written


def ask(model: Any, *prompts: str, image: bool = False, **output: Any) -> list[Any]:
    parts = [(Image(png("green")), text) if image else (text,) for text in prompts]
    requests = [Request((user(*one),), GenerateImages(**output), seed=7) for one in parts]
    return list(model.generate_images([model.prepare(request) for request in requests]))


def test_gemini_generates_inline_images_and_counts_tokens(service: Service) -> None:
    (found,) = ask(build(service, "gemini"), "a cat")
    assert isinstance(found, ImageResponse)
    assert found.details == {"prompt_tokens": 5, "completion_tokens": 1290, "model": "g-1"}
    _, path, headers, body = service.asked[0]
    assert path == "/models/gemini-2.5-flash-image:generateContent"
    assert headers["X-Goog-Api-Key"] == "secret-1"
    assert body["generationConfig"]["seed"] == 7


def test_gemini_edits_with_the_source_inline(service: Service) -> None:
    (found,) = ask(build(service, "gemini"), "make it blue", image=True)
    assert isinstance(found, ImageResponse)
    inline = service.asked[0][3]["contents"][0]["parts"][0]["inlineData"]
    assert inline["mimeType"] == "image/png"
    assert base64.b64decode(inline["data"]).startswith(b"\x89PNG")


def test_several_images_are_several_requests_with_successive_seeds(service: Service) -> None:
    (found,) = ask(build(service, "gemini"), "a cat", count=2)
    assert len(found.images) == 2
    assert found.details["completion_tokens"] == 2580
    assert [body["generationConfig"]["seed"] for *_, body in service.asked] == [7, 8]


def test_a_filtered_prompt_and_what_is_no_image_fail_their_samples_only(service: Service) -> None:
    service.trouble = {"filtered": "none", "text": "text", "odd": "elsewhere", "bad": "400"}
    found = ask(build(service, "gemini"), "filtered", "text", "odd", "bad", "fine")
    reasons = [str(one) for one in found[:4]]
    assert all(isinstance(one, SampleError) for one in found[:4])
    for reason, wanted in zip(
        reasons, ["no image: IMAGE_SAFETY", "cannot be used", "neither base64", "status 400"], strict=True
    ):
        assert wanted in reason
    assert isinstance(found[4], ImageResponse)


def test_a_job_is_followed_until_it_is_done_and_its_image_fetched_without_the_key_elsewhere(
    service: Service, quick: Any
) -> None:
    with serving() as other:
        model = build(service, quick("replicate"), price_image="0.003")
        home, service.address = service.address, other.address  # the images lie on another host
        (found,) = ask(model, "a cat", width=64, height=32, steps=4)
        service.address = home
        assert isinstance(found, ImageResponse)
        assert "Authorization" not in other.asked[0][2]
    assert service.asked[0][3]["input"] == {
        "prompt": "a cat", "seed": 7, "width": 64, "height": 32, "num_inference_steps": 4
    }  # fmt: skip
    assert service.asked[0][2]["Authorization"] == "Bearer secret-2"
    assert len(service.paths("GET")) == 3
    assert found.details == {"model": "owner/model"}
    assert model.info.details["price_image"] == 0.003


def test_failed_odd_and_huge_jobs_fail_their_samples_only(service: Service, quick: Any) -> None:
    service.trouble = {"a": "fail", "c": "text", "d": "huge", "e": "elsewhere"}
    model = build(service, quick("replicate"), max_reply="2")
    found = ask(model, "a", "c", "d", "e", "fine")
    wanted = ["'failed': out of memory", "cannot be used", "longer than 2 MiB", "neither"]
    for one, words in zip(found[:4], wanted, strict=True):
        assert isinstance(one, SampleError)
        assert words in str(one)
    assert isinstance(found[4], ImageResponse)


def test_a_job_that_never_ends_is_given_up(service: Service, quick: Any) -> None:
    service.trouble = {"b": "hang"}
    (found,) = ask(build(service, quick("replicate"), longest_job="0.5"), "b")
    assert "not done after 0.5 s" in str(found)


@pytest.mark.parametrize(
    ("details", "cost"),
    [
        ({"price_image": 0.5}, 2.0),
        ({"price_image": 0.5, "price_in": 1e6, "price_out": 0.0}, 12.0),
        ({"price_in": 1e6, "price_out": 0.0}, 10.0),
        ({}, None),
    ],
)
def test_images_and_tokens_are_charged(details: dict[str, float], cost: float | None) -> None:
    run: Any = SimpleNamespace(manifest=SimpleNamespace(model=SimpleNamespace(details=details)))
    assert _charged(run, 10, 0, 4) == cost


def test_a_rate_limit_and_a_failed_question_are_retried_and_no_job_is_sent_twice(
    service: Service, quick: Any
) -> None:
    service.trouble = {"limited": "429", "busy": "poll-503"}
    limited, busy = ask(build(service, quick("replicate")), "limited", "busy")
    assert (limited.details["retries"], busy.details["retries"]) == (1, 1)
    assert len(service.jobs) == 2
    assert len(service.paths("POST")) == 3


def test_a_broken_server_fails_the_sample_after_its_retries(service: Service) -> None:
    service.trouble = {"broken": "500"}
    (found,) = ask(build(service, "gemini"), "broken")
    assert "status 500" in str(found)
    assert len(service.asked) == 3


def test_comfyui_runs_a_workflow_uploads_sources_and_views_results(service: Service, quick: Any) -> None:
    service.trouble = {"bad node": "fail"}
    model = build(service, quick("comfyui"), model="other.safetensors")
    drawn, failed = ask(model, "a cat", "bad node")
    assert isinstance(drawn, ImageResponse)
    assert "no such node" in str(failed)
    workflow = service.asked[0][3]["prompt"]
    assert workflow["3"]["inputs"]["seed"] == 7
    assert workflow["4"]["inputs"]["ckpt_name"] == "other.safetensors"
    assert "/view?filename=a%20b.png&subfolder=&type=output" in service.paths("GET")
    (edited,) = ask(model, "make it blue", image=True)
    assert isinstance(edited, ImageResponse)
    assert b"\x89PNG" in service.uploads[0]
    assert service.asked[-1][1].startswith("/view")
    sent = next(body for kind, path, _, body in reversed(service.asked) if path == "/prompt")
    assert sent["prompt"]["5"]["inputs"]["image"] == "up-1.png"


def test_what_the_description_has_no_place_for_is_refused(service: Service) -> None:
    model = build(service, "gemini")
    for output, words in (
        (GenerateImages(width=64, height=64), "size"),
        (GenerateImages(guidance_scale=3.0), "guidance"),
        (GenerateImages(negative="blurry"), "negative prompt"),
    ):
        with pytest.raises(SampleError, match=f"no place for: {words}"):
            model.prepare(Request((user("a cat"),), output))


def test_a_missing_key_a_wrong_name_and_a_wrong_file_are_said_before_anything_is_sent(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SpecError, match="Did you mean gemini"):
        build(service, "gemin")
    path = tmp_path / "mine.yaml"
    path.write_text("url: x\nbodi: {}\n", encoding="utf-8")
    with pytest.raises(SpecError, match="does not describe an image API"):
        build(service, str(path))
    monkeypatch.delenv("GEMINI_API_KEY")
    with pytest.raises(SpecError, match="GEMINI_API_KEY"):
        build(service, "gemini")
    assert not service.asked


def test_a_server_that_is_not_there_stops_the_run(service: Service) -> None:
    model = build(service, "gemini", base_url="http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="cannot be reached"):
        ask(model, "a cat")


def test_the_key_is_nowhere_in_the_record(service: Service) -> None:
    assert "secret" not in repr(build(service, "gemini").info)
    assert "secret" not in repr(build(service, "replicate").info)


def test_every_shipped_description_is_read() -> None:
    assert {path.stem for path in SHIPPED.glob("*.yaml")} == {"gemini", "replicate", "comfyui"}
    for path in SHIPPED.glob("*.yaml"):
        assert read(path.stem).images
