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


def said(parts):
    """(text, images) of one turn: its words in one string, its images in order."""
    text = "".join(part for part in parts if isinstance(part, str))
    return text, [part for part in parts if not isinstance(part, str)]


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


def size(output, options, default, multiple, name):
    """(width, height): what the request wants, else option `image_size`, else the default."""
    side = number(options, "image_size", default)
    width, height = output.get("width") or side, output.get("height") or side
    fits = width % multiple == height % multiple == 0
    require(fits, "%s generates multiples of %d pixels." % (name, multiple))
    return width, height


def guidance(output, options, default):
    """Scale of the guidance: the request's, else option `guidance_scale`, else the default."""
    scale = output["guidance_scale"]
    return number(options, "guidance_scale", default) if scale is None else scale


def steps(output, options, default):
    """Denoising steps: the request's, else option `steps`, else the default."""
    return output["steps"] or number(options, "steps", default)


def require(answerable, why):
    """Refuses this request alone."""
    if not answerable:
        raise Refused(why)


class Refused(Exception):
    """This request cannot be answered; the others can."""


class OneByOne:
    """Answers each request by itself, so that an answer cannot depend on what else is in its batch.

    A model has those of `_text(request)`, `_images(request)` and `_document(request)` that it can; the
    methods that evalsuite calls for them are made here.
    """

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        for method, answer in (
            ("generate_text", "_text"),
            ("generate_images", "_images"),
            ("generate_documents", "_document"),
        ):
            if hasattr(cls, answer) and not hasattr(cls, method):
                setattr(cls, method, _one_by_one(answer))


def _one_by_one(name):
    def method(self, batch):
        answers = []
        for request in batch:
            try:
                answers.append(getattr(self, name)(request))
            except Refused as error:
                answers.append(error)
        return answers

    return method


def several(generate, request):
    """`generate(seed)` once for each image that is wanted, each from a seed of its own."""
    made = []
    for place in range(request["output"]["count"]):
        seed = request["seed"] + place
        with seeded(seed):
            made.append(generate(seed))
    return made


def text_alone(request, name):
    """The text of a request for an image; refuses one that shows an image."""
    text, images = text_and_images(request)
    require(not images, "%s generates images from text alone." % name)
    return text


def fixed_size_images(request, options, name, side, generate, guidance_scale, num_steps):
    """The answer of a model that generates squares of one size from text alone.

    `generate(text, steps, scale)` makes one image; `guidance_scale` and `num_steps` are the repository's own,
    for requests and options that leave them open.
    """
    text = text_alone(request, name)
    output = request["output"]
    square(output, side, name)
    scale, count = guidance(output, options, guidance_scale), steps(output, options, num_steps)
    made = several(lambda seed: generate(text, count, scale), request)
    return {"images": made, "details": {"guidance_scale": scale, "steps": count}}


def square(output, side, name):
    """Refuses a request for another size than the checkpoint's squares."""
    wanted = output.get("width") or side, output.get("height") or side
    require(wanted == (side, side), "%s: this checkpoint generates %dx%d pixels." % (name, side, side))


def as_pixels(image, side):
    """A PIL image as (3, side, side) in [-1, 1]: its shorter side resized, its middle cut out."""
    from torchvision import transforms as T

    return T.Compose([
        T.Resize(side, T.InterpolationMode.BICUBIC), T.CenterCrop((side, side)), T.ToTensor(),
        T.Normalize([0.5] * 3, [0.5] * 3),
    ])(image)  # fmt: skip


def as_image(pixels):
    """(3, height, width) in [-1, 1], clipped, as a PIL image of 8 bits, rounded down as all of these
    repositories do it."""
    import torch
    from PIL import Image

    values = (pixels.float().clamp(-1, 1) + 1) / 2 * 255
    return Image.fromarray(values.to(torch.uint8).permute(1, 2, 0).cpu().numpy())


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
