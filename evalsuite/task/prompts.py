"""Prompt templates of declarative benchmarks, and the named postprocessing steps of answers."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from evalsuite.content import Document, Image, Part, Text
from evalsuite.errors import SpecError

Value = str | Image | tuple[Part, ...]
"""What a field of a template may stand for."""


def fields_of(template: str) -> tuple[str, ...]:
    """The names in braces, in order.

    Raises:
        SpecError: unbalanced braces, or more than a name between them.

    >>> fields_of("{image}{question} Answer briefly.")
    ('image', 'question')
    """
    found = []
    try:
        for _, name, spec, conversion in string.Formatter().parse(template):
            if name is None:
                continue
            if not name.isidentifier() or spec or conversion:
                raise SpecError(f"Template {template!r}: {{{name}}} is not a plain field name.")
            found.append(name)
    except ValueError as error:
        raise SpecError(
            f"Template {template!r} is malformed ({error}).", "Write {{ and }} for braces."
        ) from error
    return tuple(found)


def render(template: str, values: Mapping[str, Value]) -> Document:
    """A document from a template: fields are replaced by text or images, text that touches becomes one part.

    Nothing is added and nothing trimmed, because protocols are exact to the space. Braces inside the values
    are left alone.

    Raises:
        SpecError: the template asks for a field that is not given.

    >>> render("{image}{question} Answer briefly.", {"image": (), "question": "What is this?"})
    (Text(text='What is this? Answer briefly.'),)
    """
    parts: list[Part] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        pieces: tuple[Part, ...] = (Text(literal),)
        if name is not None:
            if name not in values:
                raise SpecError(
                    f"Template {template!r} asks for {{{name}}}; there are: {', '.join(values)}.",
                    "Correct the protocol.",
                )
            value = values[name]
            pieces += (
                value if isinstance(value, tuple) else (Text(value) if isinstance(value, str) else value,)
            )
        for piece in pieces:
            if isinstance(piece, Text) and parts and isinstance(parts[-1], Text):
                parts[-1] = Text(parts[-1].text + piece.text)
            elif not isinstance(piece, Text) or piece.text:
                parts.append(piece)
    return tuple(parts)


def preprocess(
    values: Mapping[str, Value], steps: Mapping[str, Sequence[str | Callable[[str], str]]]
) -> Mapping[str, Value]:
    """The values of a template's fields after steps that change their text.

    Args:
        steps: field -> names of postprocessing steps, or functions, applied in order.

    Raises:
        SpecError: a field that is not given, or is not text alone.

    >>> preprocess({"question": " Is it red? "}, {"question": ["strip"]})
    {'question': 'Is it red?'}
    """
    changed = dict(values)
    for name, todo in steps.items():
        value = changed.get(name)
        if isinstance(value, tuple) and all(isinstance(part, Text) for part in value):
            value = "".join(part.text for part in value if isinstance(part, Text))
        if not isinstance(value, str):
            what = "is not text alone" if name in changed else f"is none of {', '.join(values)}"
            raise SpecError(f"preprocess: the field {name!r} {what}.", "Correct the protocol.")
        for step in todo:
            value = POSTPROCESSORS[step](value) if isinstance(step, str) else step(value)
        changed[name] = value
    return changed


def _yes_no_of_internvl(text: str) -> str:
    for chinese, english in (("\n", ""), ("不是", "No"), ("是", "Yes"), ("否", "No")):
        text = text.replace(chinese, english)
    return re.sub("[一-龥]", "", text.lower().replace("true", "yes").replace("false", "no"))


def _clip(text: str) -> str:
    return text.replace(".", "").replace('"', "").split(",", 1)[0].lower()


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


POSTPROCESSORS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "strip": str.strip,
        "lower": str.lower,
        "upper": str.upper,
        "capitalize": str.capitalize,
        "first-line": _first_line,
        "drop-final-periods": lambda text: text.rstrip("."),
        # DreamLLM's `--clip True` (omni/eval/vqa/vqa_inference.py).
        "dreamllm-clip": _clip,
        # InternVL's eval/mme/eval.py: Chinese and true/false answers become yes or no.
        "internvl-yes-no": _yes_no_of_internvl,
    }
)
"""Postprocessing steps of an answer before it is scored, by the names that protocols use."""


def postprocess(text: str, names: Iterable[str]) -> str:
    """The answer after the named postprocessing steps, one after the other.

    >>> postprocess(' "Red", I think.', ["strip", "dreamllm-clip"])
    'red'
    """
    for name in names:
        text = POSTPROCESSORS[name](text)
    return text
