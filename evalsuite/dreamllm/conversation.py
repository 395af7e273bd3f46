"""Conversations as DreamLLM was trained to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from evalsuite.content import Image, Message, Text
from evalsuite.errors import SampleError


class Mark(Enum):
    """What stands in a prompt beside text: places that become special ids."""

    IMAGE = "image"
    DREAM = "dream"
    BOS = "bos"
    EOS = "eos"


Piece = str | Mark
"""A prompt is a sequence of text and marks. Adjacent texts are one text."""

_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


@dataclass(frozen=True, slots=True)
class Template:
    """How turns are strung together.

    The prompt is `lead` + system + `after_system`, then for each exchange `before_user` + question +
    `before_answer` and, where there is an answer, `gap` + answer + `end`. A prefill is an answer without its
    end.

    Args:
        system: system text where the conversation has none of its own; None leaves it and `after_system` out.
        lead: in front of the system text.
        empty_answer_is_open: an empty answer counts as no answer yet.
    """

    name: str
    system: str | None
    before_user: str
    before_answer: str
    end: tuple[Piece, ...]
    after_system: str = " "
    gap: str = " "
    lead: str = ""
    empty_answer_is_open: bool = False


VICUNA = Template("vicuna_v1.1", _SYSTEM, "USER: ", " ASSISTANT:", (Mark.EOS,))
"""Training and, with a leading space, evaluation template of the published models."""

VICUNA_WITHOUT_SYSTEM = Template(
    "vicuna-without-system", None, VICUNA.before_user, VICUNA.before_answer, (Mark.EOS,)
)
"""The same turns without the system text: what the miniature is asked in."""

VICUNA_EVALUATION = Template(
    "vicuna_v1.1-evaluation",
    _SYSTEM,
    "USER: ",
    " ASSISTANT:",
    (Mark.EOS,),
    lead=" ",
    empty_answer_is_open=True,
)
"""Upstream's evaluation scripts write a space before the system text: one token more than in training."""

LLAMA2 = Template("llama2", None, "[INST] ", " [/INST]", (" ", Mark.EOS, Mark.BOS))
"""Registered upstream, used by no shipped configuration."""

PLAIN = Template("plain", None, "", "", (Mark.EOS,), after_system="", gap="")
"""Nothing but the turns: the raw caption of text-to-image, a document to continue, or a language model's
prompt."""

TEMPLATES: dict[str, Template] = {
    t.name: t for t in (VICUNA, VICUNA_WITHOUT_SYSTEM, VICUNA_EVALUATION, LLAMA2, PLAIN)
}


def content_pieces(parts: Iterable[Text | Image]) -> list[Piece]:
    """Text as it is, a mark for each image."""
    return [part.text if isinstance(part, Text) else Mark.IMAGE for part in parts]


def render(messages: Sequence[Message], template: Template = VICUNA, prefill: str = "") -> list[Piece]:
    """The prompt that asks for the next assistant turn.

    Images become marks; their order is that of `evalsuite.content.images_of(messages)`. The leading `<s>` is
    not part of it, the processor adds it.

    Args:
        messages: an optional system message, then user and assistant turns; consecutive turns of one role are
            joined without anything between.
        prefill: beginning of the answer.

    Raises:
        SampleError: the conversation has no turn, or a system message in the middle.
    """
    system: list[Piece] | None = None if template.system is None else [template.system]
    turns: list[tuple[str, list[Piece]]] = []
    for position, message in enumerate(messages):
        pieces = content_pieces(message.parts)
        if message.role == "system":
            if position:
                raise SampleError("A system message stands after other messages.", "Put it first.")
            system = pieces
        elif turns and turns[-1][0] == message.role:
            turns[-1][1].extend(pieces)
        else:
            turns.append((message.role, pieces))
    if not turns:
        raise SampleError("The conversation has no user turn.", "Ask something.")
    prompt: list[Piece] = []
    if system is not None:
        prompt += [template.lead, *system, template.after_system]
    for position, (role, pieces) in enumerate(turns):
        last = position == len(turns) - 1
        if role == "user":
            prompt += [template.before_user, *pieces, template.before_answer]
        elif last and not any(pieces) and template.empty_answer_is_open:
            continue
        else:
            prompt += [template.gap, *pieces, *template.end]
    if prefill:
        if turns[-1][0] == "assistant":
            raise SampleError("A prefill needs an open answer, but the conversation ends with the assistant.")
        prompt += [template.gap, prefill]
    return merged(prompt)


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Adjacent texts joined, empty ones dropped: tokenizers must see each run of text whole."""
    out: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] = out[-1] + piece
        elif piece != "":
            out.append(piece)
    return out
