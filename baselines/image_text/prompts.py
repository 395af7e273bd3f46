"""From a conversation to the text that a processor takes: chat template, or the model type's plain form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image, Text
from evalsuite.errors import SampleError
from evalsuite.request import Request, fingerprint

PLAIN = "plain"
"""Value of the option `template` for no chat template."""

CHAT = "chat"
"""Value of the option `template` for the checkpoint's own."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a model type without a chat template takes its prompt.

    Args:
        mark: what stands for an image in the text; empty where the processor puts images in front by itself.
        images: the most images in a prompt; None for any number.
        nested: text and images go to the processor as one list per prompt, in their order.
        flat: all images of a batch go to the processor as one list, in the plain form; with a chat template
            too where any number of images is taken.
        kinds: the model needs the kind of each token, which its processor gives when asked.
    """

    mark: str = ""
    images: int | None = 1
    nested: bool = False
    flat: bool = False
    kinds: bool = False


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "blip": Form(flat=True),
        "blip-2": Form(flat=True),
        "cosmos3_edge": Form(mark="<image>", images=None, kinds=True),
        "florence2": Form(flat=True),
        "fuyu": Form(flat=True),
        "git": Form(flat=True),
        "got_ocr2": Form(mark="<imgpad>", images=None, flat=True),
        "idefics": Form(images=None, nested=True),
        "instructblip": Form(flat=True),
        # the processor puts the image's tokens in front
        "kosmos-2": Form(flat=True),
        "paligemma": Form(mark="<image>", images=None),
        "pix2struct": Form(flat=True),
        "pp_chart2table": Form(mark="<imgpad>", images=None, flat=True),
    }
)
"""Model type -> its plain form; a type that is not here marks images with its tokenizer's image token."""


def template_of(processor: Any, wanted: str | None) -> str | None:
    """The template in use: the option's, else the checkpoint's; None is the plain form."""
    if wanted == PLAIN:
        return None
    if wanted and wanted != CHAT:
        return wanted
    found = getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)
    return found.get("default") if isinstance(found, dict) else found


def form_of(model_type: str, processor: Any) -> Form:
    """The plain form of a model type."""
    if model_type in FORMS:
        return FORMS[model_type]
    mark = getattr(processor, "image_token", None) or getattr(processor.tokenizer, "image_token", "") or ""
    return Form(mark=str(mark), images=None)


def named(template: str) -> str:
    """The option `template` for the record: `plain`, `chat`, or a digest of the user's own."""
    return template if template in (PLAIN, CHAT) else f"own {fingerprint(template)[:8]}"


def chat(processor: Any, template: str, request: Request, **more: Any) -> str:
    """The conversation in a chat template, with the beginning of the answer.

    Raises SampleError when the template refuses it (some know no system turn, some want turns to alternate).
    """
    turns = [{"role": m.role, "content": [_content(part) for part in m.parts]} for m in request.messages]
    try:
        rendered = processor.apply_chat_template(
            turns, chat_template=template, add_generation_prompt=True, tokenize=False, **more
        )
    except Exception as error:  # a template is a program: whatever it raises is about this conversation
        raise SampleError(
            f"The chat template refuses the conversation ({type(error).__name__}: {error}).",
            "Use another protocol, or --option template=….",
        ) from error
    return str(rendered) + request.prefill


def plain(form: Form, request: Request) -> str:
    """The parts one after the other, turns separated by a space, with the beginning of the answer."""
    turns = [
        "".join(part.text if isinstance(part, Text) else form.mark for part in message.parts)
        for message in request.messages
    ]
    return " ".join(turns) + request.prefill


def nested(request: Request, images: list[Any]) -> list[Any]:
    """Texts and images in their order, neighbouring texts joined; the beginning of the answer last."""
    waiting = iter(images)
    found: list[Any] = []
    for part in [part for message in request.messages for part in message.parts] + [Text(request.prefill)]:
        piece = part.text if isinstance(part, Text) else next(waiting)
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return found


def _content(part: Text | Image) -> dict[str, str]:
    return {"type": "text", "text": part.text} if isinstance(part, Text) else {"type": "image"}
