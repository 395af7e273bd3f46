"""Every model type that people compare with, tiny and random, saved and loaded as a run loads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from evalsuite.content import system, user
from evalsuite.engine.batching import Batch, Scope
from evalsuite.engine.plan import Item
from evalsuite.engine.prepare import Ready
from evalsuite.engine.worker import Worker
from evalsuite.errors import CheckpointError, SampleError, SpecError, UnavailableError
from evalsuite.model.entry import ModelOptions
from evalsuite.model.weights import configuration
from evalsuite.registry import load_registry
from evalsuite.request import GenerateImages, GenerateText, Request, ScoreChoices
from evalsuite.task import Sample
from tests.baselines import tiny
from tests.baselines.families import (
    CHOICES,
    HAS_TORCHVISION,
    answers,
    asked,
    families,
    likelihoods,
    load,
    picture,
    save,
)

NAMES = list(families())
CHANGED_BY_BATCHES = {"Kosmos-2"}
"""Families whose own left padding moves their numbers; the engine's self-check is there for them."""
NO_CHOICES = {"BLIP-2 (Flan-T5)"}
SHORT = GenerateText(max_new_tokens=8)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a family, written once."""
    known: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name in tiny.NEEDS_TORCHVISION and not HAS_TORCHVISION:
            pytest.skip("its processor needs torchvision, which is not here")
        if name not in known:
            known[name] = tmp_path_factory.mktemp("family")
            save(families()[name][1], known[name])
        return known[name]

    return folder


@pytest.fixture(scope="session")
def loaded(saved: Callable[[str], Path]) -> Callable[[str], Any]:
    """A family's adapter, loaded once."""
    known: dict[str, Any] = {}

    def model(name: str) -> Any:
        if name not in known:
            known[name] = load(families()[name][0], saved(name))
        return known[name]

    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in CHANGED_BY_BATCHES])
def test_answers_in_a_batch_equal_answers_one_at_a_time(loaded: Callable[[str], Any], name: str) -> None:
    adapter = families()[name][0]
    together, alone = answers(loaded(name), asked(adapter, SHORT))
    assert together == alone
    if name != "Chameleon":  # whose random answers are all alike
        assert len(set(alone)) > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in NO_CHOICES])
def test_likelihoods_in_a_batch_equal_likelihoods_one_at_a_time(
    loaded: Callable[[str], Any], name: str
) -> None:
    together, alone = likelihoods(loaded(name), asked(families()[name][0], ScoreChoices(CHOICES)))
    assert np.abs(together - alone).max() < 1e-3
    assert (alone < 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LLaVA", "IDEFICS", "Llama", "Janus"])
def test_sampling_repeats_under_its_seed_whatever_the_batch(loaded: Callable[[str], Any], name: str) -> None:
    model, adapter = loaded(name), families()[name][0]
    requests = asked(adapter, GenerateText(max_new_tokens=8, temperature=1.0))
    assert len({model.prepare(request).group for request in requests}) == 1, "asked in one batch"
    together, alone = answers(model, requests)
    assert together == alone
    once, again = (answers(model, [request])[1][0] for request in (requests[0], requests[0]))
    assert once == again
    other = Request(requests[0].messages, requests[0].output, seed=99)
    assert answers(model, [other])[1][0] != once


@pytest.mark.parametrize("name", ["LLaVA", "BLIP-2 (OPT)", "Llama 3.2 Vision", "OPT"])
def test_choices_are_scored_as_a_forward_pass_of_the_whole_text_says(
    loaded: Callable[[str], Any], name: str
) -> None:
    model, adapter = loaded(name), families()[name][0]
    request = asked(adapter, ScoreChoices((" red", " blue")))[0]
    item = model.prepare(request)
    (response,) = model.score_choices([item])
    encode = getattr(model, "inputs", None) or model._inputs
    inputs = encode([(item, " blue")], "right")
    network = getattr(model, "model", None) or model._model
    with torch.inference_mode():
        logits = network(**inputs).logits[0].log_softmax(-1)
    ids = inputs["input_ids"][0]
    count = len(" blue")  # a token per byte
    expected = sum(float(logits[i - 1, ids[i]]) for i in range(len(ids) - count, len(ids)))
    assert response.log_likelihoods[1] == pytest.approx(expected, abs=1e-4)
    assert response.token_counts == (4, 5)


def test_an_empty_choice_is_refused(loaded: Callable[[str], Any]) -> None:
    model = loaded("LLaVA")
    with pytest.raises(SampleError, match="adds no token"):
        model.score_choices([model.prepare(asked("transformers", ScoreChoices(("",)))[0])])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    for adapter in ("transformers", "unified", "causal"):
        with pytest.raises(CheckpointError, match=r"config\.json is missing"):
            load(adapter, tmp_path)


def test_a_checkpoint_of_the_hub_says_at_once_that_it_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import HfApi

    class TransportError(Exception):
        """As the hub's HTTP library calls it."""

    def fail(*arguments: Any, **more: Any) -> None:
        raise TransportError("no such host")

    monkeypatch.setattr(HfApi, "repo_info", fail)
    with pytest.raises(CheckpointError, match=r"hub cannot be reached \(no such host\)"):
        load("transformers", Path("nobody/such-a-model"))


def test_prefill_begins_the_answer_and_is_not_returned(loaded: Callable[[str], Any]) -> None:
    model = loaded("LLaVA")
    plain = asked("transformers", SHORT)[0]
    filled = Request(plain.messages, SHORT, prefill="It is")
    prepared = model.prepare(filled)
    assert prepared.payload[0] == model.prepare(plain).payload[0] + "It is"
    assert "It is" not in model.generate_text([prepared])[0].text


def test_an_encoder_decoder_refuses_choices(loaded: Callable[[str], Any]) -> None:
    model = loaded("BLIP-2 (Flan-T5)")
    request = asked("transformers", ScoreChoices(CHOICES))[0]
    with pytest.raises(SampleError, match="encoder-decoder"):
        model.score_choices([model.prepare(request)])


def test_the_engine_finds_batches_that_change_answers_and_asks_one_at_a_time(
    loaded: Callable[[str], Any],
) -> None:
    model = loaded("Kosmos-2")
    requests = asked("transformers", GenerateText(max_new_tokens=30))
    together, alone = answers(model, requests)
    assert together != alone, "transformers has learnt to pad Kosmos-2: take it off CHANGED_BY_BATCHES"
    items = [
        Ready(Item(Sample(str(i), None)), model.prepare(request), "", "", "", "", "generate_text", 0)
        for i, request in enumerate(requests)
    ]
    scope = Scope("task", "generate_text", requests[0].output, None)
    worker = Worker(model)
    result = worker.run(Batch(scope, tuple(items)))
    assert [getattr(outcome.response, "text", None) for outcome in result.outcomes] == alone
    assert "one at a time" in result.notes[0]
    assert worker.limit(scope, 8) == 1


@pytest.mark.parametrize("name", ["BLIP-2 (OPT)", "Kosmos-2"])
def test_two_images_are_refused_by_a_model_that_takes_one(loaded: Callable[[str], Any], name: str) -> None:
    with pytest.raises(SampleError, match="takes 1 image in a prompt, not 2"):
        loaded(name).prepare(Request((user(picture(0), picture(1), "which?"),), SHORT))


def test_idefics_reads_images_where_they_stand(loaded: Callable[[str], Any]) -> None:
    model = loaded("IDEFICS")
    first, second = (user(picture(0), "one?"), user("one?", picture(0)))
    texts = [answers(model, [Request((turn,), SHORT)])[1][0] for turn in (first, second)]
    assert texts[0] != texts[1]


def test_a_beginning_of_sequence_that_the_template_leaves_out_is_the_tokenizers(
    saved: Callable[[str], Path], tmp_path: Path
) -> None:
    model = load("transformers", saved("LLaVA"))
    item = model.prepare(asked("transformers", SHORT)[0])
    bare = model.inputs([(item, "")], "left")["input_ids"][0].tolist()
    own = load("transformers", saved("LLaVA"), template="<s>" + tiny.CHAT)
    mine = own.inputs([(own.prepare(asked("transformers", SHORT)[0]), "")], "left")["input_ids"][0].tolist()
    assert mine.count(1) == 1, "the template's <s> is not doubled"
    assert bare.count(1) == (1 if model.tokenizer("x")["input_ids"][0] == 1 else 0)


def test_a_template_given_as_an_option_replaces_the_checkpoints(saved: Callable[[str], Path]) -> None:
    plain = load("transformers", saved("LLaVA"), template="plain")
    assert plain.info.details["prompt"] == "plain"
    assert plain.prepare(asked("transformers", SHORT)[0]).payload[0] == "<image>" + TEXT_ALONE
    mine = load("transformers", saved("LLaVA"), template="{% for m in messages %}Q:{% endfor %}<image>")
    assert mine.prepare(asked("transformers", SHORT)[0]).payload[0] == "Q:<image>"


def test_a_conversation_that_the_template_refuses_costs_its_sample_only(saved: Callable[[str], Path]) -> None:
    strict = "{{ raise_exception('no system turns') if messages[0].role == 'system' }}<image>"
    model = load("transformers", saved("LLaVA"), template=strict)
    with pytest.raises(SampleError, match="no system turns"):
        model.prepare(Request((system("be brief"), user(picture(0), "?")), SHORT))


def test_decoding_defaults_of_a_checkpoint_are_put_aside_and_recorded(
    saved: Callable[[str], Path], tmp_path: Path
) -> None:
    import shutil

    from transformers import GenerationConfig

    folder = tmp_path / "penalised"
    shutil.copytree(saved("Llama"), folder)
    GenerationConfig(
        repetition_penalty=9.0, do_sample=True, top_k=3, pad_token_id=0, bos_token_id=1, eos_token_id=2
    ).save_pretrained(folder)
    request = asked("causal", GenerateText(max_new_tokens=16))
    ours, theirs = load("causal", folder), load("causal", folder, generation_config="checkpoint")
    assert ours.info.details["decoding_defaults_put_aside"]["repetition_penalty"] == 9.0
    assert answers(ours, request)[1] == answers(load("causal", saved("Llama")), request)[1]
    assert answers(theirs, request)[1] != answers(ours, request)[1]


def test_generation_ends_at_a_stop_string_and_it_is_cut_off(loaded: Callable[[str], Any]) -> None:
    model = loaded("Llama")
    (whole,) = answers(model, asked("causal", GenerateText(max_new_tokens=24))[:1])[1]
    stop = whole[3:5]
    output = GenerateText(max_new_tokens=24, stop=(stop,))
    prepared = model.prepare(asked("causal", output)[0])
    (response,) = model.generate_text([prepared])
    assert response.text == whole.split(stop)[0]
    assert not response.truncated
    assert response.tokens is not None
    assert response.tokens < 24


def test_a_length_normalisation_that_transformers_lacks_is_on_record_with_the_answer(
    loaded: Callable[[str], Any],
) -> None:
    model = loaded("Llama")
    for normalization, told in (
        ("generated", {}),
        ("prompt+generated", {"length_normalization": "generated, not prompt+generated"}),
    ):
        output = GenerateText(max_new_tokens=4, num_beams=2, length_normalization=cast(Any, normalization))
        (response,) = model.generate_text([model.prepare(asked("causal", output)[0])])
        assert response.details == told


def test_dtype_attention_and_device_map_pass_through_to_the_loaded_model(
    saved: Callable[[str], Path],
) -> None:
    model = load("transformers", saved("LLaVA"), "bfloat16", attention="eager", device_map="cpu")
    assert model.model.dtype == torch.bfloat16
    assert model.model.config.text_config._attn_implementation == "eager"
    details = model.info.details
    assert (details["dtype"], details["attention"], details["device_map"]) == ("bfloat16", "eager", "cpu")
    assert details["trust_remote_code"] is False
    assert details["image_backend"] == "pil"
    assert answers(model, asked("transformers", SHORT))[1]


def test_quantisation_without_bitsandbytes_says_how_to_get_it(
    saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "bitsandbytes" else real(name, *a)
    )
    with pytest.raises(UnavailableError, match="pip install bitsandbytes"):
        load("transformers", saved("LLaVA"), quantization="4bit")
    with pytest.raises(SpecError, match="Did you mean 4bit"):
        load("transformers", saved("LLaVA"), quantization="4bits")


def test_code_beside_the_weights_is_refused_until_it_is_asked_for(
    tmp_path: Path, saved: Callable[[str], Path]
) -> None:
    import json
    import shutil

    folder = tmp_path / "remote"
    shutil.copytree(saved("Llama"), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {
        "AutoConfig": "strange.StrangeConfig", "AutoModelForCausalLM": "strange.StrangeModel"}}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "strange.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class StrangeConfig(LlamaConfig):\n    model_type = 'strange'\n"
        "class StrangeModel(LlamaForCausalLM):\n    config_class = StrangeConfig\n"
    )
    with pytest.raises(CheckpointError, match="trust_remote_code=yes"):
        load("causal", folder)
    model = load("causal", folder, trust_remote_code="yes")
    assert model.info.details["trust_remote_code"] is True
    assert type(model._model).__name__ == "StrangeModel"


def test_an_unknown_option_is_named_with_the_nearest(saved: Callable[[str], Path]) -> None:
    with pytest.raises(SpecError, match=r"has no option 'templat'\. Did you mean template"):
        load("transformers", saved("LLaVA"), templat="plain")


def test_a_language_model_is_refused_as_an_image_text_model_and_told_where_it_belongs(
    saved: Callable[[str], Path],
) -> None:
    with pytest.raises(CheckpointError):
        load("transformers", saved("Llama"))


def test_a_language_model_refuses_an_image(loaded: Callable[[str], Any]) -> None:
    with pytest.raises(SampleError, match="reads text alone"):
        loaded("Llama").prepare(Request((user(picture(0), "?"),), SHORT))


def test_a_language_model_scores_bare_text_and_answers_in_its_template(loaded: Callable[[str], Any]) -> None:
    model = loaded("Llama")
    assert model.prepare(asked("causal", ScoreChoices(CHOICES))[0]).payload[0] == TEXT_ALONE
    assert model.prepare(asked("causal", SHORT)[0]).payload[0] == f"user: {TEXT_ALONE}\nassistant:"


TEXT_ALONE = "what color is it"


@pytest.mark.parametrize("name", list(tiny.UNIFIED))
def test_unified_models_draw_what_their_seed_says_whatever_the_batch(
    loaded: Callable[[str], Any], name: str
) -> None:
    model = loaded(name)
    if name == "Emu3":
        model = load("unified", Path(model.checkpoint.source), image_area="256")
    requests = [
        Request((user("a red circle"),), GenerateImages(guidance_scale=1.0, count=count), seed=seed)
        for seed, count in ((3, 2), (4, 1))
    ]
    prepared = [model.prepare(request) for request in requests]
    first, second = model.generate_images(prepared)
    (alone,) = model.generate_images(prepared[1:])
    assert second.images[0].sha256() == alone.images[0].sha256()
    assert first.images[1].sha256() == alone.images[0].sha256(), "image i has the seed of the request plus i"
    assert first.images[0].sha256() != first.images[1].sha256()
    guided = Request((user("a red circle"),), GenerateImages(guidance_scale=4.0), seed=3)
    assert model.generate_images([model.prepare(guided)])[0].details["guidance_scale"] == 4.0


def test_a_model_that_transformers_lets_read_only_is_refused_where_it_is_to_draw(
    saved: Callable[[str], Path],
) -> None:
    with pytest.raises(CheckpointError, match=r"cannot generate images with a chameleon.*transformers:"):
        load("unified", saved("Chameleon"))


def test_drawing_refuses_what_a_unified_model_cannot_honour(loaded: Callable[[str], Any]) -> None:
    with pytest.raises(SampleError, match="generates images from text alone"):
        loaded("Janus").prepare(Request((user(picture(0), "more red"),), GenerateImages()))
    with pytest.raises(SampleError, match="no negative prompt"):
        loaded("Janus").prepare(Request((user("a"),), GenerateImages(negative="b")))


def test_presets_name_their_checkpoint_and_set_its_options(
    monkeypatch: pytest.MonkeyPatch, saved: Callable[[str], Path]
) -> None:
    from evalsuite_baselines import declared, presets

    path = Path(presets.__file__).parent / "image_text" / "presets.yaml"
    table = presets.read(path)
    assert len({preset.name for preset in table}) == len(table)
    seen: list[ModelOptions] = []
    load = lambda options: seen.append(options)  # noqa: E731
    entry = next(presets.entries(path, frozenset({"text"}), "g", load, declared.TRANSFORMERS))
    entry.build(ModelOptions(device="cpu", options={"attention": "eager"}))
    assert seen[0].argument == "llava-hf/llava-1.5-7b-hf"
    assert seen[0].dtype == "auto", "half precision is for GPUs"
    assert seen[0].options == {"name": "llava-1.5-7b", "revision": "main", "attention": "eager"}
    assert {preset.name for preset in table} <= set(load_registry().models)


def test_the_record_tells_the_files_beside_the_weights(
    saved: Callable[[str], Path], loaded: Callable[[str], Any]
) -> None:
    name = NAMES[0]
    found = loaded(name).info.details["configuration"]
    assert found == configuration(saved(name))
    assert len(found) == 16


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_loads_give_one_fingerprint(
    saved: Callable[[str], Path], loaded: Callable[[str], Any], name: str
) -> None:
    torch.manual_seed(3)  # weights that a checkpoint does not hold would be random
    again = load(families()[name][0], saved(name))
    assert again.info.fingerprint == loaded(name).info.fingerprint
