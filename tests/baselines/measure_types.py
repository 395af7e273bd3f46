"""One model type of transformers, tiny, through its generic adapter, as a line of JSON.

python -m tests.baselines.measure_types            # the names of all types
python -m tests.baselines.measure_types qwen2_vl   # one
"""

from __future__ import annotations

import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

from evalsuite.errors import EvalsuiteError
from evalsuite.request import GenerateImages, GenerateText, Request, ScoreChoices


def measure(model_type: str) -> dict[str, Any]:
    """What a type does: prompt form, whether batches change answers, choices, images; or `why` not."""
    import torch

    from tests.baselines import families, generic, tiny

    step = "building it"
    try:
        with tempfile.TemporaryDirectory() as name:
            torch.manual_seed(0)
            network, processor = generic.make(model_type)
            tiny.lively(network).save_pretrained(name)
            processor.save_pretrained(name)
            step = "loading it"
            adapter = "unified" if model_type in ("janus", "emu3") else "transformers"
            model = families.load(adapter, Path(name), **families.SMALL.get(type(network).__name__[:4], {}))
            step = "asking it"
            texts = families.asked(adapter, GenerateText(max_new_tokens=16))
            together, alone = families.answers(model, texts)
            return {
                "class": f"`{type(network).__name__}`",
                "adapter": f"`{adapter}:`",
                "prompt": model.info.details["prompt"],
                "batch = single": _compared(together, alone),
                "choices": _choices(model, adapter),
                "image generation": _images(model) if adapter == "unified" else "–",
            }
    except NotImplementedError as error:
        return {"why": str(error)}
    except Exception as error:  # whatever the library raises is the finding
        said = " ".join(f"{type(error).__name__}: {error}".split())
        said = re.sub(rf"{tempfile.gettempdir()}/\w+", "FOLDER", said)
        said = re.sub(r"https?://[^\s']+", "…", said)
        return {"why": f"fails on {step}: {said[:160]}"}


def _compared(together: list[str], alone: list[str]) -> str:
    if together != alone:
        return "no: asked one at a time"
    return "yes" if len(set(alone)) > 1 else "yes (answers all alike)"


def _choices(model: Any, adapter: str) -> str:
    from tests.baselines import families

    try:
        together, alone = families.likelihoods(model, families.asked(adapter, ScoreChoices(families.CHOICES)))
    except EvalsuiteError as error:
        return "refused" if "encoder-decoder" in str(error) else f"no: {str(error)[:60]}"
    except Exception as error:  # the library's
        return f"no: {type(error).__name__}"
    difference = float(abs(together - alone).max())
    return "yes" if difference < 1e-3 else f"batches differ by {difference:.0e}"


def _images(model: Any) -> str:
    from evalsuite.content import user

    request = Request((user("a red circle"),), GenerateImages(guidance_scale=1.0), seed=1)
    once, again = (model.generate_images([model.prepare(request)])[0].images[0].sha256() for _ in range(2))
    return "yes, same seed same image" if once == again else "no"


def names() -> list[str]:
    """All types, with the libraries loaded."""
    warnings.simplefilter("ignore")
    from tests.baselines import torchvision

    torchvision.available()  # before transformers would import it
    from tests.baselines import generic

    measure("blip-2")  # what is imported on the way is then in every child that is forked
    return list(generic.types())
