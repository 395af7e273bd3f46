"""Image models behind any HTTP API that a short YAML file describes: Gemini, Replicate, ComfyUI …"""

from __future__ import annotations

from collections.abc import Iterator

from evalsuite.model import REQUEST_OPTIONS, Model, ModelEntry, ModelOptions, Option

from .. import declared

OPTIONS = (
    declared.NAME,
    Option("model", "name of the model, for {model} in the file; by default the file's"),
    Option("base_url", "address of the service, for {base_url} in the file; by default the file's"),
    Option("key_env", "environment variable with the API key, for {key}; by default the file's"),
    Option("price_image", "price of one image, for the cost in `runs show`", float, minimum=0),
    Option("price_in", "price of a million prompt tokens, where the service counts them", float, minimum=0),
    Option("price_out", "price of a million generated tokens", float, minimum=0),
    Option("max_reply", "MiB of a reply or an image; a longer one fails", float, 512.0, minimum=0.001),
    Option("longest_job", "seconds until an asynchronous job must be done", float, 600.0, minimum=0.001),
    *REQUEST_OPTIONS,
)


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "http-images",
        "an image model of any HTTP API, as a YAML file describes it",
        frozenset({"image", "edit"}),
        load,
        takes_argument=True,
        group="servers",
        options=OPTIONS,
    )


def load(options: ModelOptions) -> Model:
    """Reads the description named by `options.argument`: a file, or `gemini`, `replicate`, `comfyui`.

    Raises SpecError for a description or an option that is wrong, and where the key is not set.
    """
    from .adapter import HttpImages

    return HttpImages(options)
