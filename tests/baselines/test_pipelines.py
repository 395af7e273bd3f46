"""Pipeline classes of diffusers, built tiny by rule, through the adapter; docs/families.md has all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from evalsuite_baselines.diffusion.arguments import call_arguments, check_before_loading, guidance_name
from evalsuite_baselines.diffusion.guiders import set_guidance
from evalsuite_baselines.diffusion.kinds import Kind, images_of, kind_of

from evalsuite.errors import UnavailableError
from evalsuite.model.entry import ModelOptions
from evalsuite.request import GenerateImages
from tests.baselines.measure_pipelines import call_of, measure
from tests.baselines.pipeline_classes import classes, reason

DOCUMENT = Path(__file__).parents[2] / "docs" / "families.md"
UNGUIDED = {"Flux2KleinKVPipeline", "JoyImageEditPlusPipeline"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "does", "guidance"),
    [
        ("QwenImagePipeline", "generate, edit", "`true_cfg_scale`"),
        ("Lumina2Pipeline", "generate", "`guidance_scale`"),
        ("SanaPipeline", "generate", "`guidance_scale`"),
        ("Kandinsky5T2IPipeline", "generate", "`guidance_scale`"),
        ("StableDiffusion3InpaintPipeline", "inpaint", "`guidance_scale`"),
    ],
)
def test_a_class_built_by_rule_gives_images_of_a_batch_as_alone(name: str, does: str, guidance: str) -> None:
    found = measure(name)
    assert "why" not in found, found
    assert found["does"] == does
    assert found["batch = single"] in ("yes", "one at a time")
    assert found["guidance"] == guidance


def test_the_table_forgets_no_class_of_the_library() -> None:
    from diffusers.pipelines import auto_pipeline

    text = DOCUMENT.read_text(encoding="utf-8")
    documented = text.split("<!-- diffusers -->")[1].split("<!-- end of diffusers -->")[0]
    missing = [name for name in classes() if f"`{name}`" not in documented]
    assert not missing
    for task in ("TEXT2IMAGE", "IMAGE2IMAGE", "INPAINT"):
        mapping = getattr(auto_pipeline, f"AUTO_{task}_PIPELINES_MAPPING")
        videos = {"HeliosPipeline", "HeliosPyramidPipeline"}
        assert {kind.__name__ for kind in mapping.values()} - videos <= set(classes())


def test_what_is_not_built_says_why() -> None:
    assert "control image" in reason("FluxControlNetPipeline")
    assert "prior" in reason("KandinskyPipeline")
    assert "deprecated" in reason("AmusedPipeline")
    assert reason("QwenImagePipeline") == ""


def test_a_class_that_needs_a_package_says_so_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "ChronoEditPipeline"}')
    monkeypatch.setattr("evalsuite_baselines.diffusion.arguments.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match="ChronoEditPipeline needs the package ftfy"):
        check_before_loading(ModelOptions(argument=str(tmp_path)))


def test_guidance_is_found_in_the_call_of_every_class() -> None:
    without = {name for name in classes() if not reason(name) and not guidance_name(call_of(name))}
    assert without <= UNGUIDED | {"SanaSprintPipeline"}, without
    assert guidance_name(call_of("QwenImageEditPlusPipeline")) == "true_cfg_scale"
    assert guidance_name(call_of("FluxPipeline")) == "guidance_scale"
    assert guidance_name(call_of("StableCascadeCombinedPipeline")) == "prior_guidance_scale"
    assert guidance_name(call_of("HunyuanImagePipeline")) == "distilled_guidance_scale"


def test_a_negative_prompt_is_given_once_for_each_prompt() -> None:
    class Call:
        def __call__(self, prompt: Any, negative_prompt: Any = None, guidance_scale: float = 1.0) -> None: ...

    output = GenerateImages(negative="grass", guidance_scale=2.0)
    assert call_arguments(Call(), output, {}, editing=False, count=2)["negative_prompt"] == ["grass", "grass"]
    assert call_arguments(Call(), output, {}, editing=False)["negative_prompt"] == "grass"


def test_a_constant_guidance_replaces_a_schedule() -> None:
    class Call:
        def __call__(
            self, prompt: Any, guidance_scale: Any = None, guidance_schedule: Any = (7.0,) * 48
        ) -> None: ...

    found = call_arguments(Call(), GenerateImages(guidance_scale=2.0), {}, editing=False)
    assert found == {"guidance_scale": 2.0, "guidance_schedule": None}
    assert call_arguments(Call(), GenerateImages(), {}, editing=False) == {}


def test_source_images_go_where_a_pipeline_takes_them() -> None:
    images = [["a", "b"], ["c"]]
    omni = Kind("OmniGenPipeline", "input_images").inputs(["swap", "cut"], images)
    assert omni["prompt"][0] == "<img><|image_1|></img> <img><|image_2|></img> swap"
    assert omni["input_images"] == [["a", "b"], ["c"]]
    assert Kind("Flux2Pipeline", "image").inputs(["swap"], images[:1])["image"] == ["a", "b"]
    assert Kind("QwenImageEditPipeline", "image").inputs(["cut"], images[1:])["image"] == "c"
    assert Kind("DreamLitePipeline", "image").inputs(["cut"], images[1:]) == {"prompt": "cut", "image": "c"}
    assert Kind("FluxPipeline", "").inputs(["x", "y"], [[], []]) == {"prompt": ["x", "y"]}
    assert Kind("StableDiffusionImg2ImgPipeline", "image").inputs(["x", "y"], images)["image"] == ["a", "c"]


def test_the_kind_of_a_pipeline_is_read_off_its_call() -> None:
    class OmniGenPipeline:
        def __call__(self, prompt: Any, input_images: Any = None) -> None: ...

    kind = kind_of(OmniGenPipeline())
    assert (kind.source, kind.draws, kind.several, kind.alone(True)) == ("input_images", True, True, True)


def test_an_image_per_prompt_is_found_under_any_name() -> None:
    assert images_of(SimpleNamespace(images=["a", "b"])) == ["a", "b"]
    assert images_of(SimpleNamespace(image=["a"])) == ["a"]
    assert images_of(SimpleNamespace(images=[["whole", "layer"]])) == ["whole"]
    assert images_of(SimpleNamespace(frames=[["first", "last"]])) == ["last"]


def test_guidance_that_is_a_component_is_replaced() -> None:
    class Guider:
        def __init__(self, guidance_scale: float) -> None:
            self.guidance_scale = guidance_scale

        def new(self, guidance_scale: float) -> Guider:
            return Guider(guidance_scale)

    pipeline = SimpleNamespace(guider=Guider(3.5), ocr_guider=None)
    before = pipeline.guider
    set_guidance(pipeline, None)
    set_guidance(pipeline, 3.5)
    assert pipeline.guider is before
    set_guidance(pipeline, 5.0)
    assert (pipeline.guider.guidance_scale, before.guidance_scale, pipeline.ocr_guider) == (5.0, 3.5, None)
