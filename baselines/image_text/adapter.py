"""The adapter: text generation and choice scoring with an `AutoModelForImageTextToText`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalsuite.errors import CheckpointError, SampleError
from evalsuite.model import ModelInfo, ModelOptions, Prepared
from evalsuite.request import ChoiceResponse, GenerateText, Request, TextResponse
from evalsuite.task.readers import decode

from ..checkpoint import Checkpoint, explaining, thinking
from ..decoding import static_arguments
from ..generation import batch_that_fits, generate, group_of, is_encoder_decoder, neutralise, opened
from ..likelihood import Likelihoods
from . import prompts
from .videoless import without_videos

IMAGE_COST = 1000.0
"""What an image adds to a request's cost, in characters: it becomes hundreds of tokens."""


class ImageTextModel:
    """One checkpoint with its own processor.

    Padding is set on the language model's tokenizer only (a Q-Former keeps its own).
    """

    def __init__(
        self, options: ModelOptions, adapter: str = "transformers", more: tuple[str, ...] = ()
    ) -> None:
        self.checkpoint = Checkpoint.of(options, adapter, more)
        self.checkpoint.require_config()
        self.processor, backend = load_processor(self.checkpoint)
        self.model = self.checkpoint.load(_auto_class(self.checkpoint))
        self.tokenizer = self.processor.tokenizer
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        chosen = self.checkpoint.options
        keep = chosen.get("generation_config") == "checkpoint"
        self.decoding_aside = {} if keep else neutralise(self.model)
        self.template = prompts.template_of(self.processor, chosen.get("template"))
        self._form = prompts.form_of(self.model.config.model_type, self.processor)
        self._info = self.checkpoint.info(
            self.model,
            image_backend=backend,
            prompt=prompts.PLAIN if self.template is None else "chat template",
            decoding_defaults_put_aside=self.decoding_aside,
            **({"template": prompts.named(chosen["template"])} if "template" in chosen else {}),
        )
        self._thinking = thinking(chosen)
        self._likelihoods = Likelihoods(self.model, self._here)

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def networks(self) -> tuple[Any, ...]:
        """For the engine's self-check."""
        return (self.model,)

    def prepare(self, request: Request) -> Prepared:
        """Decodes the images and renders the prompt; tokenisation is batched with the padding."""
        images = [decode(image) for image in request.images]
        text = self._render(request, images)
        length = len(text) if isinstance(text, str) else sum(len(t) for t in text if isinstance(t, str))
        cost = length + IMAGE_COST * len(images)
        return Prepared(request, (text, images), cost, group_of(self.model, request, bool(images)))

    def batch_that_fits(self, prepared: Prepared) -> int:
        return batch_that_fits(self.model, prepared, len(prepared.request.images))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        output = batch[0].request.output
        assert isinstance(output, GenerateText)
        # an encoder reads its padding's side in relative positions; a decoder continues from its right end
        side = "right" if is_encoder_decoder(self.model) else "left"
        inputs = self.inputs([(item, "") for item in batch], side)
        seeds = [item.request.seed for item in batch]
        static = static_arguments(self.checkpoint.options) if output.num_beams == 1 else {}
        responses = generate(self.model, self.tokenizer, inputs, output, seeds, **static)
        return [opened(r, item.payload[0]) for r, item in zip(responses, batch, strict=True)]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        if is_encoder_decoder(self.model):
            raise SampleError(
                f"{self._info.name} has an encoder-decoder language model, which scores no continuation of a "
                "prompt.",
                "Use a protocol that generates the answer.",
            )
        return self._likelihoods.score(batch)

    def inputs(self, rows: Sequence[tuple[Prepared, str]], side: str, **more: Any) -> Any:
        """`_here`, on the model's device."""
        return self._here(rows, side, **more).to(self.model.device)

    def _here(self, rows: Sequence[tuple[Prepared, str]], side: str, **more: Any) -> Any:
        """Tokens and pixels of prompts, each followed by a text, padded on one side.

        Only called in device steps, which run in one thread: the tokenizer's padding side is its state.
        """
        self.tokenizer.padding_side = side
        texts = [_followed(item.payload[0], text) for item, text in rows]
        images = [item.payload[1] for item, _ in rows]
        arguments: dict[str, Any] = {"text": texts, "padding": True, "return_tensors": "pt", **more}
        if self._form.kinds:
            arguments["return_mm_token_type_ids"] = True
        if not hasattr(self.processor, "qformer_tokenizer"):
            arguments["padding_side"] = side  # some processors have a default that beats the tokenizer's
        if images[0] and (self.template is not None or not self._form.nested):
            flat = self._form.flat and (self.template is None or self._form.images is None)
            arguments["images"] = [p for own in images for p in own] if flat else images
        # As ProcessorMixin.apply_chat_template decides it: LLaVA-1.5's template leaves <s> to the tokenizer.
        beginning = self.tokenizer.bos_token
        if self.template is not None and beginning and str(texts[0]).startswith(beginning):
            arguments["add_special_tokens"] = False
        found = self.processor(**arguments)
        found.pop("labels", None)  # PaliGemma's processor makes some for training
        return found.to("cpu", dtype=self.model.dtype)

    def _render(self, request: Request, images: list[Any]) -> str | list[Any]:
        if self.template is not None:
            return prompts.chat(self.processor, self.template, request, **self._thinking)
        most = self._form.images
        if most is not None and len(images) > most:
            raise SampleError(
                f"{self._info.name} ({self.model.config.model_type}) takes {most} image in a prompt, not "
                f"{len(images)}."
            )
        if self._form.nested:
            return prompts.nested(request, images)
        return prompts.plain(self._form, request)


def load_processor(checkpoint: Checkpoint) -> tuple[Any, str]:
    """A checkpoint's processor, and what computes its pixels.

    PIL is pinned, because torchvision's resizing gives other pixels; the few models that only torchvision
    serves keep it, on record. (AutoProcessor's own `backend` also goes to video processors, which have none.)
    """
    import transformers

    with explaining(checkpoint.source, "an image-text model"):
        kind: Any = transformers.AutoProcessor
        with without_videos():
            processor = kind.from_pretrained(checkpoint.processing, **checkpoint.common)
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise CheckpointError(
            f"{checkpoint.source} has no processor for images and text (found {type(processor).__name__}).",
            "Give an image-text checkpoint; language models are causal:FOLDER.",
        )
    try:
        kind = transformers.AutoImageProcessor
        processor.image_processor = kind.from_pretrained(
            checkpoint.processing, backend="pil", **checkpoint.common
        )
    except (ValueError, ImportError):
        return processor, "torchvision"
    return processor, "pil"


def _auto_class(checkpoint: Checkpoint) -> Any:
    """The class that loads a checkpoint: image-text models, or those that read and write more kinds
    (Qwen-Omni, Phi-4-multimodal)."""
    import transformers
    from transformers.models.auto import modeling_auto

    with explaining(checkpoint.source, "an image-text model"):
        config = transformers.AutoConfig.from_pretrained(checkpoint.source, **checkpoint.common)
    known: Any = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    wider: Any = modeling_auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES
    if config.model_type not in known and config.model_type in wider:
        return transformers.AutoModelForMultimodalLM
    return transformers.AutoModelForImageTextToText


def _followed(text: str | list[Any], more: str) -> str | list[Any]:
    if isinstance(text, str):
        return text + more
    return [*text[:-1], text[-1] + more] if text and isinstance(text[-1], str) else [*text, more]
