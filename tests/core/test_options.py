"""Declared options: listed, checked before anything is loaded, read as what they are."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from evalsuite.endpoint import Server
from evalsuite.errors import SpecError
from evalsuite.model import ModelEntry, Option, RequestLimits, check_options, option_values
from evalsuite.model.concurrency import REQUEST_OPTIONS
from evalsuite.registry import Registry, load_registry
from evalsuite.running.resolving import resolve
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.task import TaskEntry

STEPS = Option("steps", "denoising steps", int, 50, minimum=1)
FAST = Option("fast", "compiles", bool, False)
KIND = Option("kind", "which", choices=("plain", "chat"))


def spec(model: str, task: str, model_options: Any = None, task_options: Any = None) -> RunSpec:
    return RunSpec(
        model=ModelSpec(name=model, options=model_options or {}),
        tasks=(TaskSpec(name=task, options=task_options or {}),),
    )


def not_built(options: Any) -> Any:
    raise AssertionError("it is built")


def registry(**more: Any) -> Registry:
    known = load_registry()
    known.models["mine"] = ModelEntry("mine", "", frozenset({"text"}), not_built, **more)
    return known


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stepz": "20"}, r"Model 'mine' has no option 'stepz'\. Did you mean steps"),
        ({"steps": "many"}, r"Model 'mine': Option steps='many' is not a whole number\. Write steps=50"),
        ({"steps": "0"}, "steps=0 is out of range"),
        ({"fast": "maybe"}, "fast='maybe' is neither yes nor no"),
        ({"kind": "chatt"}, r"kind='chatt' is not one of its values\. Did you mean chat"),
    ],
)
def test_a_wrong_option_of_a_plugin_is_refused_before_the_model_is_built(given: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        resolve(spec("mine", "mini-vqav2", given), registry(options=(STEPS, FAST, KIND)))


def test_right_options_pass_and_undeclared_entries_take_anything() -> None:
    known = registry(options=(STEPS, FAST, KIND))
    resolve(spec("mine", "mini-vqav2", {"steps": "20", "fast": "true", "kind": "chat"}), known)
    resolve(spec("mine", "mini-vqav2", {"anything": "goes"}), registry())
    resolve(spec("mine", "mini-vqav2", {"more": "1"}), registry(options=(STEPS,), more_options="arguments"))
    with pytest.raises(SpecError, match="steps='x'"):
        resolve(spec("mine", "mini-vqav2", {"steps": "x"}), registry(options=(STEPS,), more_options="all"))
    with pytest.raises(SpecError, match=r"has no option 'a'\. It takes none"):
        resolve(spec("mine", "mini-vqav2", {"a": "b"}), registry(options=()))


def test_options_of_benchmarks_and_of_own_tasks_are_checked_likewise() -> None:
    known = registry()
    with pytest.raises(SpecError, match=r"Task 'mini-vqav2' has no option 'subst'\. Did you mean subset"):
        resolve(spec("mine", "mini-vqav2", None, {"subst": "3"}), known)
    entry = known.task("mini-vqav2")
    known.tasks["own"] = TaskEntry(
        "own", "", "text", entry.metrics, ("p",), ("r",), not_built, options=lambda: (STEPS,)
    )
    with pytest.raises(SpecError, match=r"Task 'own' has no option 'step'\. Did you mean steps"):
        resolve(spec("mine", "own", None, {"step": "3"}), known)


def test_every_shipped_model_and_benchmark_declares_its_options_with_help() -> None:
    known = load_registry()
    entries: list[ModelEntry | TaskEntry] = [*known.models.values(), *known.tasks.values()]
    for entry in entries:
        options = entry.declared_options
        assert options is not None, entry.name
        assert all(option.help for option in options if option.default is None), entry.name
        assert len({option.name for option in options}) == len(options), entry.name
    named = {option.name: option for option in known.models["flux.1-schnell"].declared_options or ()}
    assert (named["steps"].default, named["guidance_scale"].default) == (4, 0.0)


def test_what_adapters_declare_is_what_they_take() -> None:
    from evalsuite_baselines import checkpoint, declared
    from evalsuite_baselines.diffusion import adapter, arguments
    from evalsuite_baselines.served import adapter as served
    from evalsuite_baselines.server import chat, serving

    from evalsuite.isolated import adapter as isolated

    def names(options: tuple[Option, ...]) -> set[str]:
        return {option.name for option in options}

    assert names(declared.TRANSFORMERS) == set(checkpoint.OPTIONS)
    assert names(declared.LANGUAGE) == {*checkpoint.OPTIONS, "gguf_file"}
    assert names(declared.UNIFIED) == {*checkpoint.OPTIONS, "image_area"}
    assert names(declared.DIFFUSERS) == {*arguments.ADAPTER_OPTIONS, "guidance_scale", "strength"}
    assert names(declared.SERVER) == set(serving.OPTIONS)
    engine = {*serving.OPTIONS, *served.OWN, *chat.CHAT_OPTIONS} - {"base_url"}
    assert names(declared.ENGINE) == engine
    assert names(declared.ISOLATED) == set(isolated.OWN)
    by_name = {option.name: option for option in declared.CHAT}
    assert set(by_name["prefill"].choices) == {"refuse", "continue", "assistant"}
    assert all(name in by_name["omit"].help for name in chat.PARAMETERS)
    assert set({option.name: option for option in declared.DIFFUSERS}["task"].choices) == set(adapter.TASKS)
    server = Server("http://localhost/v1", "m")
    own = {*chat.CHAT_OPTIONS, "name", "base_url", "image_detail", "extra_body", "price_in", "price_out"}
    for name, option in by_name.items():
        if name not in own:
            assert option.default == getattr(server, name), name


def test_options_of_dreamllm_name_its_templates_and_image_preparations() -> None:
    from typing import get_args

    from evalsuite.dreamllm.conversation import TEMPLATES
    from evalsuite.dreamllm.diffusion import SamplingConfig
    from evalsuite.dreamllm.images import Augment
    from evalsuite.dreamllm.options import OPTIONS

    values = option_values(OPTIONS, {})
    assert values["template"] in TEMPLATES
    assert {o.name: o for o in OPTIONS}["augment"].choices == get_args(Augment)
    default = SamplingConfig()
    assert (values["steps"], values["guidance_scale"], values["scheduler"]) == (
        default.steps, default.guidance_scale, default.scheduler,
    )  # fmt: skip


def test_a_misspelt_argument_of_a_pipeline_is_refused_from_its_index_alone(tmp_path: Path) -> None:
    from evalsuite_baselines.diffusion import load

    from evalsuite.model import ModelOptions

    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(SpecError, match=r"has an option 'guidance_rescal'\. Did you mean guidance_rescale"):
        load(ModelOptions(str(tmp_path), options={"guidance_rescal": "1"}))


def test_the_options_of_requests_are_the_fields_of_their_limits() -> None:
    defaults = RequestLimits()
    declared = {option.name: option.default for option in REQUEST_OPTIONS}
    own = {field.name: getattr(defaults, field.name) for field in fields(RequestLimits)}
    del own["pause_after"]  # for adapters, not for users
    assert declared == own


def test_values_are_read_with_their_defaults() -> None:
    values = option_values((STEPS, FAST, Option("file", type=Path)), {"fast": "yes", "file": "a/b"})
    assert values == {"steps": 50, "fast": True, "file": Path("a/b")}
    check_options((STEPS,), {}, "Nobody")
    with pytest.raises(SpecError, match="type"):
        Option("odd", type=list)
