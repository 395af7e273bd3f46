"""One pipeline class of diffusers, tiny, through the generic adapter, as a line of a table.

python -m tests.baselines.measure_pipelines                   # the names of all classes
python -m tests.baselines.measure_pipelines QwenImagePipeline # one
"""

from __future__ import annotations

import inspect
import io
import json
import re
import sys
import tempfile
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SIDE = 32
SIDES = dict.fromkeys(
    (
        "Flux2Pipeline",
        "Flux2KleinPipeline",
        "Flux2KleinKVPipeline",
        "Flux2KleinInpaintPipeline",
        "ZImageOmniPipeline",
    ),
    64,
)
"""Pixels of a side where a class wants more."""
STRONG = 60.0
"""Guidance whose effect is seen with random weights."""
MODES = {"generate": 0, "edit": 1, "inpaint": 2}
"""What is asked -> how many images the prompt has."""


def measure(name: str) -> dict[str, Any]:
    """What a class does: generation, editing, batches, guidance, negative prompts; or `why` not."""
    from tests.baselines.pipeline_classes import reason

    if why := reason(name):
        return {"why": why}
    from evalsuite_baselines.diffusion.kinds import NEEDS

    if name in NEEDS and find_spec(NEEDS[name]) is None:
        return {"why": f"needs the package {NEEDS[name]}"}
    step = "building it"
    try:
        with tempfile.TemporaryDirectory() as folder:
            _save(name, Path(folder))
            step = "loading it"
            model = load(name, Path(folder))
            step = "asking it"
            return _measured(model)
    except NotImplementedError as error:
        return {"why": str(error)}
    except Exception as error:  # whatever the library raises is the finding
        said = " ".join(f"{type(error).__name__}: {error}".split())
        said = re.sub(rf"{tempfile.gettempdir()}/\w+", "FOLDER", said)
        said = re.sub(r"https?://[^\s']+", "…", said)
        return {"why": f"fails on {step}: {said[:160]}"}


def _save(name: str, folder: Path) -> None:
    import torch

    from tests.baselines.pipeline_classes import build

    torch.manual_seed(0)
    build(name).save_pretrained(folder)


def load(name: str, folder: Path, **options: str) -> Any:
    """The class's folder through the adapter."""
    from evalsuite.model.entry import ModelOptions
    from evalsuite.registry import load_registry
    from tests.baselines.pipeline_settings import OPTIONS

    entry, argument = load_registry().model(f"diffusers:{folder}")
    takes = call_of(name)
    side = str(SIDES.get(name, SIDE))
    sizes = {"height": side, "width": side} if "height" in takes else {}
    own = {"steps": "2", "strength": "0.8", **sizes, **OPTIONS.get(name, {}), **options}
    if "use_resolution_binning" in takes:
        own["use_resolution_binning"] = "False"
    model: Any = entry.build(ModelOptions(argument=argument, device="cpu", options=own))
    for pipeline in {model._draw, model._edit} - {None}:
        _small(pipeline)
    return model


def _small(pipeline: Any) -> None:
    """Sizes that classes fix at a megapixel, and texts padded to a thousand tokens, become tiny ones."""
    module: Any = sys.modules[type(pipeline).__module__]
    if hasattr(pipeline, "default_sample_size"):
        pipeline.default_sample_size = 16
    if getattr(pipeline, "tokenizer_max_length", 0) > 256:
        pipeline.tokenizer_max_length = 256
    if hasattr(pipeline, "resolutions"):
        pipeline.resolutions = [(SIDE, SIDE)]
    if hasattr(module, "calculate_dimensions"):
        found = len(module.calculate_dimensions(SIDE * SIDE, 1.0))  # some give a third value
        module.calculate_dimensions = lambda *given: (SIDE, SIDE, None)[:found]
    if hasattr(module, "PREFERRED_RESOLUTION"):
        module.PREFERRED_RESOLUTION = {1024 * 1024: [(SIDE, SIDE)]}
    if ".joyimage." in module.__name__:
        buckets: Any = import_module("diffusers.pipelines.joyimage.image_processor")
        buckets.find_best_bucket = lambda *given: (SIDE, SIDE)


def call_of(name: str) -> Any:
    """Parameters of the call of a class."""
    from tests.baselines.pipeline_classes import classes

    return inspect.signature(classes()[name].__call__).parameters


def _measured(model: Any) -> dict[str, Any]:
    from evalsuite_baselines.diffusion.arguments import guidance_name, negative_name, signature

    side = SIDES.get(model.info.details["pipeline"], SIDE)
    does: list[str] = []
    batches: list[str] = []
    last: Exception | None = None
    used = ""
    for mode, images in MODES.items():
        requests = [_request(text, seed, images, side) for seed, text in enumerate(("a red circle", "blue"))]
        try:
            prepared = [model.prepare(request) for request in requests]
        except Exception as error:
            last = error
            continue
        try:
            alone = [_pixels(model.generate_images([one])[0]) for one in prepared]
            together = [_pixels(response) for response in _batched(model, prepared)]
        except Exception as error:
            if not does:
                raise
            does.append(f"{mode} fails ({type(error).__name__})")
            continue
        difference = max(float(abs(a - b).max()) for a, b in zip(alone, together, strict=True))
        does.append("edit several" if mode == "inpaint" and not model._masked else mode)
        batches.append("yes" if difference <= 2 else f"differ by {difference:.0f}")
        used = used or mode
    if not does:
        assert last is not None
        raise last
    pipeline = model._draw if used == "generate" else model._edit
    known = signature(pipeline)
    answer = {
        "does": ", ".join(does),
        "batch = single": "one at a time" if model.one_at_a_time(MODES[used] > 0) else _joined(batches),
        "guidance": "–", "negative prompt": "–",
    }  # fmt: skip
    images = MODES[used]
    strong = _asked(model, images, side, guidance_scale=STRONG)
    if guidance := guidance_name(known):
        weak = _asked(model, images, side, guidance_scale=1.5)
        answer["guidance"] = f"`{guidance}`" + ("" if abs(weak - strong).max() else " (no effect)")
    if negative := negative_name(known):
        other = _asked(model, images, side, guidance_scale=STRONG, negative="a blue square of grass")
        answer["negative prompt"] = f"`{negative}`" + ("" if abs(other - strong).max() else " (no effect)")
    return answer


def _joined(batches: list[str]) -> str:
    return batches[0] if len(set(batches)) == 1 else ", ".join(batches)


def _batched(model: Any, prepared: list[Any]) -> list[Any]:
    if len({str(one.group) for one in prepared}) == 1:
        return list(model.generate_images(prepared))
    return [model.generate_images([one])[0] for one in prepared]


def _asked(model: Any, images: int, side: int, **output: Any) -> Any:
    request = _request("a red circle", 1, images, side, **output)
    return _pixels(model.generate_images([model.prepare(request)])[0])


def _request(text: str, seed: int, images: int, side: int, **output: Any) -> Any:
    from evalsuite.content import user
    from evalsuite.request import GenerateImages, Request

    sources = [_image(40 + 60 * seed, side), _image(255, side, half=True)][:images]
    return Request((user(*sources, text),), GenerateImages(width=side, height=side, **output), seed=seed)


def _image(value: int, side: int, half: bool = False) -> Any:
    import numpy as np
    from PIL import Image as PilImage

    from evalsuite.content import Image

    shape = np.full((side, side, 3), value, dtype=np.uint8)
    shape[:, : side // 2] = 0 if half else 200
    stream = io.BytesIO()
    PilImage.fromarray(shape).save(stream, format="PNG")
    return Image(stream.getvalue())


def _pixels(response: Any) -> Any:
    import numpy as np
    from PIL import Image as PilImage

    return np.asarray(PilImage.open(io.BytesIO(response.images[0].read()))).astype(int)


def names() -> list[str]:
    """All classes, with the libraries loaded."""
    warnings.simplefilter("ignore")
    from tests.baselines import torchvision

    torchvision.available()  # before diffusers would import it
    import diffusers

    from tests.baselines.pipeline_classes import classes

    diffusers.utils.logging.set_verbosity_error()
    measure("StableDiffusionPipeline")  # what is imported on the way is then in every child that is forked
    return list(classes())


if __name__ == "__main__":
    for one in sys.argv[1:] or names():
        print(json.dumps({one: measure(one)}) if sys.argv[1:] else one)
