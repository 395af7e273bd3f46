"""What a description file says: how a request is sent, how its job is followed, where its images are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalsuite.errors import SpecError, suggest

SHIPPED = Path(__file__).parent
"""Where the descriptions that come with the package lie."""
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Upload(BaseModel):
    """A source image that is uploaded by itself, as a form's file, before the request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    field: str = "image"
    result: str
    """Path of what `{image}` then stands for."""


class Poll(BaseModel):
    """A job that is asked about until it is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """Address, with placeholders for the fields of the first reply."""
    status: str = ""
    """Path of the job's state; without one, it is done as soon as `images` are there."""
    done: tuple[str, ...] = ("succeeded",)
    failed: tuple[str, ...] = ("failed", "canceled", "error")
    error: str = "error"
    """Path of what is said about a failure."""
    every: float = Field(1.0, gt=0)
    """Seconds between two questions."""


class Protocol(BaseModel):
    """One API.

    `{prompt}`, `{seed}`, `{width}`, `{height}`, `{count}`, `{steps}`, `{guidance}`, `{negative}`, `{image}`
    (a source image, base64), `{image_uri}` (a data URI), `{image_type}`, `{model}`, `{base_url}` and `{key}`
    stand for what is asked. A value that is only a placeholder keeps its type; a field whose placeholder has
    no value is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    edit_url: str = ""
    """Address of edits; `url` where it is empty."""
    base_url: str = ""
    model: str = ""
    key_env: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any]
    edit_body: dict[str, Any] | None = None
    """Body of a request with a source image; without one, such a request is refused."""
    upload: Upload | None = None
    poll: Poll | None = None
    images: str
    """Path of the images in the last reply: base64, data URIs, addresses, or objects for `image_url`."""
    image_url: str = ""
    """Address of an image whose path gives an object, with placeholders for its fields."""
    refusal: str = ""
    """Path of what the service says when it generates nothing (a safety filter)."""
    usage: dict[str, str] = Field(default_factory=dict)
    """`prompt_tokens`, `completion_tokens` -> path of the number."""
    served: str = ""
    """Path of the model's name, as the service says it."""


def read(argument: str) -> Protocol:
    """The description of that file or shipped name. Raises SpecError."""
    path = Path(argument)
    if not path.is_file():
        shipped = {one.stem: one for one in SHIPPED.glob("*.yaml")}
        if argument not in shipped:
            raise SpecError(
                f"http-images:{argument} is neither a file nor a description that comes along.",
                suggest(argument, shipped) or f"There are {', '.join(sorted(shipped))}.",
            )
        path = shipped[argument]
    try:
        return Protocol.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(
            f"{path} does not describe an image API: {error}", "See docs/http-images.md."
        ) from error


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """A template with its placeholders replaced.

    >>> filled({"text": "{prompt}!", "seed": "{seed}", "size": "{width}"}, {"prompt": "a cat", "seed": 3})
    {'text': 'a cat!', 'seed': 3}
    """
    if isinstance(template, dict):
        found = {name: filled(value, values) for name, value in template.items()}
        return {name: value for name, value in found.items() if value is not None}
    if isinstance(template, list):
        return [value for value in (filled(one, values) for one in template) if value is not None]
    if not isinstance(template, str):
        return template
    names = PLACEHOLDER.findall(template)
    if any((name in values and values[name] is None) or name not in values for name in names):
        return None
    if len(names) == 1 and template == f"{{{names[0]}}}":
        return values[names[0]]
    return PLACEHOLDER.sub(lambda match: str(values[match[1]]), template)


def address(template: str, values: Mapping[str, Any]) -> str:
    """A template of an address; values inside it are escaped, except an address that it begins with.

    >>> address("{base_url}/view?filename={filename}", {"base_url": "http://x", "filename": "a b.png"})
    'http://x/view?filename=a%20b.png'
    """

    def replaced(match: re.Match[str]) -> str:
        value = values.get(match[1])
        text = "" if value is None else str(value)
        return text if match.start() == 0 else quote(text, safe="/:")

    return PLACEHOLDER.sub(replaced, template)


def at(value: Any, path: str) -> Iterator[Any]:
    """What stands at a path: names and numbers separated by dots, `*` for all of a list or object.

    >>> list(at({"data": [{"b64": "x"}, {"url": "y"}]}, "data.*.b64"))
    ['x']
    """
    name, _, rest = path.partition(".")
    if not name:
        yield value
        return
    inside: list[Any] = []
    if name == "*" and isinstance(value, dict | list):
        inside = list(value.values()) if isinstance(value, dict) else value
    elif isinstance(value, dict) and name in value:
        inside = [value[name]]
    elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
        inside = [value[int(name)]]
    for one in inside:
        yield from at(one, rest)


def first(value: Any, path: str) -> Any:
    """The first of what stands at a path; None for nothing."""
    return next(at(value, path), None) if path else None
