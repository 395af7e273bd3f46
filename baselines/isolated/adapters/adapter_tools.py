# What the adapters of this folder share. Runs in the model's environment: standard library, torch, numpy and
# Pillow, Python 3.8 or newer; nothing of evalsuite.
import contextlib
import io
import os
import random
import sys


def repository(options, *folders):
    """Puts the clone of the official repository (option `repo`), or folders of it, first on the path.

    With the option `hub`, what is asked of the hub comes from that folder alone, from the first import on.
    """
    if options.get("hub"):
        os.environ["HF_HUB_CACHE"] = os.path.abspath(options["hub"])
        os.environ["HF_HUB_OFFLINE"] = "1"
    clone = options.get("repo", "")
    if not os.path.isdir(clone):
        raise ValueError("--option repo=FOLDER must name a clone of the official repository")
    for folder in reversed(folders or (".",)):
        path = os.path.normpath(os.path.join(clone, folder))
        if not os.path.isdir(path):
            raise ValueError("%s has no folder %s: is it the right clone?" % (clone, folder))
        sys.path.insert(0, path)
    return clone


def device_and_dtype(options, default="bfloat16"):
    """Where and in which precision: on a CPU float32 unless asked otherwise."""
    import torch

    device = options.get("device", "auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = options.get("dtype", "auto")
    if dtype == "auto":
        dtype = default if device.startswith("cuda") else "float32"
    return torch.device(device), getattr(torch, dtype)


def number(options, name, default):
    """An option as a number of the default's kind."""
    value = options.get(name, default)
    try:
        return type(default)(value)
    except ValueError:
        raise ValueError("option %s=%s is not a number" % (name, value)) from None


def switch(options, name, default=False):
    """An option that is yes or no."""
    return str(options.get(name, "yes" if default else "no")).lower() in ("yes", "true", "1")


def opened(image):
    """The encoded image as RGB; transparency on white."""
    from PIL import Image

    shown = Image.open(io.BytesIO(image))
    if shown.mode in ("RGBA", "LA", "P"):
        shown = shown.convert("RGBA")
        shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)
    return shown.convert("RGB")


def parts(request):
    """Texts and RGB images of all turns in order, the beginning of the answer left out."""
    return [
        opened(part["image"]) if "image" in part else part["text"]
        for message in request["messages"]
        for part in message["parts"]
    ]


def turns(request):
    """(role, parts) of each turn."""
    return [
        (message["role"], [opened(p["image"]) if "image" in p else p["text"] for p in message["parts"]])
        for message in request["messages"]
    ]


def text_and_images(request):
    """All text in one string, and the images in order."""
    found = parts(request)
    text = "\n".join(part.strip() for part in found if isinstance(part, str) and part.strip())
    return text, [part for part in found if not isinstance(part, str)]


@contextlib.contextmanager
def seeded(seed):
    """Inside, all random numbers come from this seed."""
    import numpy
    import torch

    seed = seed % 2**32
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    with torch.inference_mode():
        yield


def size(output, options, default):
    """(width, height): what the request wants, else option `image_size`, else the default."""
    side = number(options, "image_size", default)
    return output.get("width") or side, output.get("height") or side


def require(answerable, why):
    """Refuses this request alone."""
    if not answerable:
        raise Refused(why)


class Refused(Exception):
    """This request cannot be answered; the others can."""


def one_by_one(answer, batch):
    """Each request by itself, so that an answer cannot depend on what else is in the batch."""
    answers = []
    for request in batch:
        try:
            answers.append(answer(request))
        except Refused as error:
            answers.append(error)
    return answers


def several(generate, request):
    """`generate()` once for each image that is wanted, each from a seed of its own."""
    made = []
    for place in range(request["output"]["count"]):
        with seeded(request["seed"] + place):
            made.append(generate())
    return made


def fixed_size_images(request, options, name, side, generate, guidance_scale, steps):
    """The answer of a model that generates squares of one size from text alone.

    `generate(text, steps, scale)` makes one image; `guidance_scale` and `steps` are the repository's own, for
    requests and options that leave them open.
    """
    text, images = text_and_images(request)
    require(not images, "%s generates images from text alone." % name)
    output = request["output"]
    wanted = output.get("width") or side, output.get("height") or side
    require(wanted == (side, side), "%s: this checkpoint generates %dx%d pixels." % (name, side, side))
    scale = output["guidance_scale"]
    scale = number(options, "guidance_scale", guidance_scale) if scale is None else scale
    steps = output["steps"] or number(options, "steps", steps)
    made = several(lambda: generate(text, steps, scale), request)
    return {"images": made, "details": {"guidance_scale": scale, "steps": steps}}


def cut(text, stops):
    """The text up to the first stop string, and whether one was found."""
    ends = [text.index(stop) for stop in stops or () if stop in text]
    return (text[: min(ends)], True) if ends else (text, False)


def sampling(output):
    """The arguments of transformers' `generate` for what a request wants."""
    wanted = {"max_new_tokens": output["max_new_tokens"], "num_beams": output["num_beams"]}
    if output["temperature"] > 0:
        return dict(wanted, do_sample=True, temperature=output["temperature"], top_p=output["top_p"])
    if output["num_beams"] > 1:
        wanted["length_penalty"] = output["length_penalty"]
    return dict(wanted, do_sample=False)


def text_answer(text, tokens, output):
    """A text as evalsuite takes it."""
    text, stopped = cut(text, output["stop"])
    truncated = tokens is not None and tokens >= output["max_new_tokens"] and not stopped
    return {"text": text.strip(), "tokens": tokens, "truncated": truncated}


def parameters(*modules):
    """Number of weights of all modules together, shared ones once."""
    found = {id(weight): weight.numel() for module in modules for weight in module.parameters()}
    return sum(found.values())
