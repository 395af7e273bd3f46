"""The diffusers adapter on tiny pipelines of the real classes, saved and loaded through the public path."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PilImage

from evalsuite.content import Image, user
from evalsuite.errors import CheckpointError, SampleError, SpecError, UnavailableError
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import GenerateImages, Request
from tests.baselines.pipelines import save_all


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pipelines")
    save_all(root)
    return root


def build(folder: Path, **options: Any) -> Any:
    entry, argument = load_registry().model(f"diffusers:{folder}")
    defaults = {"steps": "3", "guidance_scale": "2.0"}
    return entry.build(ModelOptions(argument=argument, device="cpu", options={**defaults, **options}))


def pixels(image: Any) -> Any:
    return np.asarray(PilImage.open(io.BytesIO(image.read()))).astype(int)


def source(value: Any = 120) -> Any:
    buffer = io.BytesIO()
    PilImage.fromarray(np.full((16, 16, 3), value, dtype=np.uint8)).save(buffer, format="PNG")
    return Image(buffer.getvalue())


def draw(model: Any, requests: Any) -> Any:
    return model.generate_images([model.prepare(request) for request in requests])


@pytest.mark.slow
def test_images_do_not_depend_on_their_batch(folders: Path) -> None:
    model = build(folders / "sd")
    requests = [
        Request((user(text),), GenerateImages(), seed=seed)
        for seed, text in enumerate(["a red circle", "blue"])
    ]
    together = draw(model, requests)
    for request, response in zip(requests, together, strict=True):
        (alone,) = draw(model, [request])
        assert np.abs(pixels(alone.images[0]) - pixels(response.images[0])).max() <= 1


def test_same_seed_same_image_other_seed_other_image(folders: Path) -> None:
    model = build(folders / "sd")
    one, again, other = (
        draw(model, [Request((user("a red circle"),), GenerateImages(), seed=seed)])[0].images[0]
        for seed in (1, 1, 2)
    )
    assert one.sha256() == again.sha256()
    assert one.sha256() != other.sha256()


def test_several_images_per_prompt_use_successive_seeds(folders: Path) -> None:
    model = build(folders / "sd")
    (two,) = draw(model, [Request((user("a red circle"),), GenerateImages(count=2), seed=4)])
    (second,) = draw(model, [Request((user("a red circle"),), GenerateImages(), seed=5)])
    assert len(two.images) == 2
    assert np.abs(pixels(two.images[1]) - pixels(second.images[0])).max() <= 1


@pytest.mark.slow
def test_text_to_image_pipeline_edits_by_sdedit_and_less_with_less_strength(folders: Path) -> None:
    request = Request((user(source(), "a red circle"),), GenerateImages(), seed=1)
    (weak,) = draw(build(folders / "sd", strength="0.34", steps="6"), [request])
    (strong,) = draw(build(folders / "sd", strength="1.0", steps="6"), [request])
    assert pixels(weak.images[0]).shape == (16, 16, 3)
    assert weak.images[0].sha256() != strong.images[0].sha256()


def test_editing_pipeline_edits_and_refuses_to_draw_from_nothing(folders: Path) -> None:
    model = build(folders / "ip2p")
    (edited,) = draw(model, [Request((user(source(), "red"),), GenerateImages(), seed=1)])
    assert pixels(edited.images[0]).shape == (16, 16, 3)
    with pytest.raises(SampleError, match="cannot generate images without a source image"):
        model.prepare(Request((user("red"),), GenerateImages()))


def test_two_source_images_are_refused(folders: Path) -> None:
    with pytest.raises(SampleError, match="takes one image"):
        build(folders / "sd").prepare(Request((user(source(), source(), "mix"),), GenerateImages()))


def test_unknown_scheduler_suggests_the_nearest(folders: Path) -> None:
    model = build(folders / "sd")
    with pytest.raises(SpecError, match=r"dpm\+\+"):
        draw(model, [Request((user("a"),), GenerateImages(scheduler="dpm+"))])


def test_bad_number_option_is_named(folders: Path) -> None:
    with pytest.raises(SpecError, match="steps='many'"):
        draw(build(folders / "sd", steps="many"), [Request((user("a"),), GenerateImages())])


def test_folder_without_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model_index\.json is missing"):
        build(tmp_path)


def test_flux_draws_with_its_own_guidance(folders: Path) -> None:
    model = build(folders / "flux")
    request = Request((user("a red circle"),), GenerateImages(width=16, height=16), seed=1)
    (one,), (again,) = draw(model, [request]), draw(model, [request])
    assert one.images[0].sha256() == again.images[0].sha256()
    assert pixels(one.images[0]).shape == (16, 16, 3)
    assert one.details["guidance_scale"] == 2.0


def test_kontext_edits_and_also_draws_from_nothing(folders: Path) -> None:
    model = build(folders / "kontext", max_area="256", _auto_resize="False")
    edit = Request((user(source(), "red"),), GenerateImages(), seed=1)
    drawn = Request((user("red"),), GenerateImages(width=16, height=16), seed=1)
    (edited,), (made,) = draw(model, [edit]), draw(model, [drawn])
    assert edited.details["max_area"] == 256
    assert edited.images[0].sha256() != made.images[0].sha256()


def test_a_pipeline_can_be_switched_to_inpainting_and_keeps_what_the_mask_leaves(folders: Path) -> None:
    model = build(folders / "sd", task="inpainting", strength="1.0", steps="4")
    mask = np.zeros((16, 16, 3), dtype=np.uint8)
    mask[:, 8:] = 255
    stream = io.BytesIO()
    PilImage.fromarray(mask).save(stream, "PNG")
    request = Request((user(source(), Image(stream.getvalue()), "red"),), GenerateImages(), seed=1)
    (painted,) = draw(model, [request])
    assert pixels(painted.images[0]).shape == (16, 16, 3)
    with pytest.raises(SampleError, match="needs two images, source and mask"):
        model.prepare(Request((user(source(), "red"),), GenerateImages()))
    with pytest.raises(
        SpecError, match="no inpainting pipeline for a StableDiffusionInstructPix2PixPipeline"
    ):
        build(folders / "ip2p", task="inpainting")


def test_arguments_of_the_call_are_options_and_a_protocols_go_first(folders: Path) -> None:
    request = Request((user(source(), "red"),), GenerateImages(guidance_scale=3.0, steps=2), seed=1)
    model = build(folders / "ip2p", image_guidance_scale="2.5", guidance_scale="9", steps="7")
    (edited,) = draw(model, [request])
    assert edited.details["image_guidance_scale"] == 2.5
    assert (edited.details["guidance_scale"], edited.details["num_inference_steps"]) == (3.0, 2)
    with pytest.raises(SpecError, match="Did you mean image_guidance_scale"):
        build(folders / "ip2p", image_guidance_scal="2.5")


def test_guidance_is_given_under_the_name_that_means_it() -> None:
    from evalsuite_baselines.diffusion.arguments import call_arguments

    class QwenLike:
        def __call__(
            self,
            prompt: Any = None,
            negative_prompt: Any = None,
            true_cfg_scale: Any = 4.0,
            guidance_scale: Any = None,
        ) -> None: ...

    class FluxLike:
        def __call__(
            self,
            prompt: Any = None,
            negative_prompt: Any = None,
            true_cfg_scale: Any = 1.0,
            guidance_scale: Any = 3.5,
        ) -> None: ...

    output = GenerateImages(guidance_scale=5.0)
    assert call_arguments(QwenLike(), output, {}, editing=False) == {
        "true_cfg_scale": 5.0, "negative_prompt": " "
    }  # fmt: skip
    assert call_arguments(FluxLike(), output, {"true_cfg_scale": "2"}, editing=False) == {
        "guidance_scale": 5.0, "true_cfg_scale": 2
    }  # fmt: skip


def test_a_pipeline_that_will_not_fit_is_refused_before_it_is_loaded(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalsuite.model.memory.free_memory", lambda device: 1000)
    with pytest.raises(UnavailableError, match=r"will not fit: .* parameters need .*memory_check=no"):
        build(folders / "sd")
    assert build(folders / "sd", memory_check="no").info.parameters


@pytest.mark.slow
def test_two_loads_of_every_pipeline_give_one_fingerprint(folders: Path) -> None:
    kinds = sorted(folder for folder in folders.iterdir() if (folder / "model_index.json").is_file())
    assert len(kinds) > 1
    for folder in kinds:
        torch.manual_seed(1)
        first = build(folder).info.fingerprint
        torch.manual_seed(2)
        assert build(folder).info.fingerprint == first, folder.name


def test_presets_say_where_their_settings_stand() -> None:
    from evalsuite_baselines import diffusion, presets

    rows = presets.read(Path(str(diffusion.__file__)).with_name("presets.yaml"))
    assert [row.name for row in rows if not row.source] == []
