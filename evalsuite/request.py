"""What is asked of a model and what comes back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from evalsuite.content import Document, Image, Message, Text, images_of
from evalsuite.errors import SampleError
from evalsuite.pickling import quick_state

Capability = Literal["text", "choices", "image", "edit", "interleaved"]
"""What a task can need: generate text, score choices, generate images from text, or from text and images
(editing, subject-driven), generate documents of text and images."""
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)
"""All of them, in that order."""
GENERATES_IMAGES: frozenset[Capability] = frozenset({"image", "edit", "interleaved"})
"""The capabilities whose answers hold generated images."""


def all_needs(capability: Capability, needs: Sequence[Capability] = ()) -> tuple[Capability, ...]:
    """All that a task of this capability needs, each once, in the order of `CAPABILITIES`.

    >>> all_needs("text", ("text", "image"))
    ('text', 'image')
    """
    wanted = {capability, *needs}
    return (*(known for known in CAPABILITIES if known in wanted),)


ADDED: Mapping[str, Any] = MappingProxyType({"added": True})
"""Metadata of a record's field that an earlier release did not have: at its default it enters no digest, so
that samples of stored runs keep theirs (`field(default="", metadata=ADDED)`)."""


@dataclass(frozen=True, slots=True)
class GenerateText:
    """Write text that continues the conversation.

    Args:
        max_new_tokens: limit on the answer, in the model's tokens.
        num_beams: 1 is greedy (or sampling when `temperature` > 0).
        temperature: 0 means no sampling.
        top_p: nucleus sampling mass in (0, 1].
        length_penalty: exponent on the length that beam scores are divided by.
        length_normalization: which length that is. `prompt+generated` is what transformers 4.35 did, and so
            what DreamLLM's published numbers used.
        stop: strings that end the answer; they are cut off.
    """

    max_new_tokens: int = 64
    num_beams: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    length_penalty: float = 1.0
    length_normalization: Literal["generated", "prompt+generated"] = "generated"
    stop: tuple[str, ...] = ()
    capability: Literal["text"] = field(default="text", init=False)


@dataclass(frozen=True, slots=True)
class ScoreChoices:
    """Give the log-likelihood of each continuation."""

    choices: tuple[str, ...]
    capability: Literal["choices"] = field(default="choices", init=False)


@dataclass(frozen=True, slots=True)
class GenerateImages:
    """Generate images for the conversation; an image in it makes it editing or subject-driven generation.

    Args:
        width, height: pixels; None leaves the model its own size.
        count: images per prompt (best-of-k protocols); image i uses the seed `request.seed + i`.
        steps: denoising steps; None is the model's default, recorded in the response's details.
        guidance_scale: classifier-free guidance; 1 is none; None is the model's default.
        scheduler: sampler by its usual name (`ddpm`, `ddim`, `dpm++`); None is the model's default.
        negative: negative prompt.
    """

    width: int | None = None
    height: int | None = None
    count: int = 1
    steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    negative: str = ""
    capability: Literal["image"] = field(default="image", init=False)


@dataclass(frozen=True, slots=True)
class GenerateDocument:
    """Write a document of text and images."""

    max_new_tokens: int = 512
    max_images: int = 4
    image: GenerateImages = field(default_factory=GenerateImages)
    capability: Literal["interleaved"] = field(default="interleaved", init=False)


Output = GenerateText | ScoreChoices | GenerateImages | GenerateDocument


@dataclass(frozen=True, slots=True)
class Request:
    """An interleaved conversation and what is wanted next.

    Args:
        messages: the turns so far; few-shot examples are earlier turns.
        output: what is wanted.
        prefill: the beginning of the answer, given by the protocol; the model continues it.
        seed: all randomness of the answer comes from it; the engine derives it from the run's seed and the
            sample's id, so that neither batching nor order matters.
    """

    messages: tuple[Message, ...]
    output: Output
    prefill: str = ""
    seed: int = 0

    @property
    def images(self) -> tuple[Image, ...]:
        return images_of(self.messages)

    def describe(self, digest: Callable[[Image], str] = Image.sha256) -> dict[str, Any]:
        """JSON-able form; images stand as `{"image": name, "sha256": digest}`.

        `digest` gives an image's sha256; a caller that knows it already need not have the bytes read again.
        """
        return {
            "messages": [
                {"role": m.role, "parts": describe_document(m.parts, digest)} for m in self.messages
            ],
            "output": asdict(self.output),
            "prefill": self.prefill,
            "seed": self.seed,
        }

    def fingerprint(self, digest: Callable[[Image], str] = Image.sha256) -> str:
        """sha256 over everything a model sees; equal fingerprints mean the same was asked."""
        return fingerprint(self.describe(digest))


MAX_TEXT = 1_000_000
"""Characters of an answer, a question or a reference: a longer one is no text that a person wrote or asked
for, and rules and tokenizers would work on it for minutes. Its sample fails, with the reason."""


def require_length(text: str, what: str) -> None:
    """Raises SampleError for a text of more than `MAX_TEXT` characters."""
    if len(text) > MAX_TEXT:
        raise SampleError(
            f"{what} has {len(text):,} characters; the limit is {MAX_TEXT:,}.", "Is the file or model broken?"
        )


@quick_state
@dataclass(frozen=True, slots=True)
class TextResponse:
    """Generated text, without the prefill.

    Args:
        tokens: number of generated tokens, where the model reports it.
        truncated: it ended because of the token limit.
        details: what the adapter wants on record (JSON-able).
    """

    text: str
    tokens: int | None = None
    truncated: bool = False
    details: dict[str, Any] = field(default_factory=dict)


@quick_state
@dataclass(frozen=True, slots=True)
class ChoiceResponse:
    """Natural-log likelihood of each choice given the prompt, summed over tokens, in the request's order."""

    log_likelihoods: tuple[float, ...]
    token_counts: tuple[int, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> int:
        """Index of the likeliest choice; the first wins ties."""
        return max(range(len(self.log_likelihoods)), key=self.log_likelihoods.__getitem__)


@quick_state
@dataclass(frozen=True, slots=True)
class ImageResponse:
    """Generated images, lossless PNG. Adapters hand them back as `RawImage`: the engine has them encoded."""

    images: tuple[Image, ...]
    details: dict[str, Any] = field(default_factory=dict)


@quick_state
@dataclass(frozen=True, slots=True)
class DocumentResponse:
    """A generated document; text and images in the order they were made."""

    parts: Document
    truncated: bool = False
    details: dict[str, Any] = field(default_factory=dict)


Response = TextResponse | ChoiceResponse | ImageResponse | DocumentResponse


def describe_document(parts: Document, digest: Callable[[Image], str] = Image.sha256) -> list[dict[str, str]]:
    """JSON-able form of a document, images by digest."""
    return [
        {"text": part.text} if isinstance(part, Text) else {"image": part.label, "sha256": digest(part)}
        for part in parts
    ]


def fingerprint(value: Any) -> str:
    """sha256 of a JSON-able value's canonical form.

    >>> fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
