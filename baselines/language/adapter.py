"""The adapter: generation and likelihoods with an `AutoModelForCausalLM`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalsuite.errors import SampleError
from evalsuite.model import ModelInfo, ModelOptions, Prepared
from evalsuite.request import ChoiceResponse, GenerateText, Request, ScoreChoices, TextResponse

from ..checkpoint import Checkpoint, explaining, thinking
from ..decoding import static_arguments
from ..generation import batch_that_fits, generate, group_of, neutralise, opened
from ..image_text.prompts import CHAT, PLAIN, named
from ..likelihood import Likelihoods
from .source import located


class LanguageModel:
    """One checkpoint with its tokenizer.

    Likelihoods are those of the bare text, as published numbers are made; answers are asked for in the
    checkpoint's chat template where it has one. The option `template` sets both: `plain`, `chat` (the
    checkpoint's), or a template.
    """

    def __init__(self, options: ModelOptions) -> None:
        import transformers

        options, gguf = located(options)
        self._checkpoint = Checkpoint.of(options, "causal", ("gguf_file",))
        if not gguf:
            self._checkpoint.require_config()
        with explaining(self._checkpoint.source, "a language model"):
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                self._checkpoint.processing, **self._checkpoint.common, **gguf
            )
        if gguf:
            _quietly()
        self._model = self._checkpoint.load(transformers.AutoModelForCausalLM, **gguf)
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        chosen = self._checkpoint.options
        aside = neutralise(self._model) if chosen.get("generation_config") != "checkpoint" else {}
        own = self._tokenizer.chat_template
        wanted = chosen.get("template", "")
        given = own if wanted == CHAT else wanted
        self._for_answers = None if wanted == PLAIN else given or own
        self._for_choices = None if wanted == PLAIN else given or None
        self._info = self._checkpoint.info(
            self._model,
            prompt="chat template" if self._for_answers else PLAIN,
            choices_prompt="chat template" if self._for_choices else PLAIN,
            decoding_defaults_put_aside=aside,
            **({"template": named(wanted)} if wanted else {}),
            **gguf,
        )
        self._thinking = thinking(chosen)
        # some tokenizers end every text, as for training; a prompt is a text that goes on
        self._closes = self._tokenizer("a").input_ids[-1:] == [self._tokenizer.eos_token_id]
        self._likelihoods = Likelihoods(self._model, self._inputs)

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def networks(self) -> tuple[Any, ...]:
        """For the engine's self-check."""
        return (self._model,)

    def prepare(self, request: Request) -> Prepared:
        if request.images:
            raise SampleError(
                f"{self._info.name} reads text alone; there is an image in the prompt.",
                "Use a benchmark without images, or --blind.",
            )
        template = self._for_choices if isinstance(request.output, ScoreChoices) else self._for_answers
        text = self._rendered(request, template) + request.prefill
        return Prepared(
            request, (text, template is not None), float(len(text)), group_of(self._model, request)
        )

    def batch_that_fits(self, prepared: Prepared) -> int:
        return batch_that_fits(self._model, prepared)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        output = batch[0].request.output
        assert isinstance(output, GenerateText)
        inputs = self._inputs([(item, "") for item in batch], "left").to(self._model.device)
        seeds = [item.request.seed for item in batch]
        static = static_arguments(self._checkpoint.options) if output.num_beams == 1 else {}
        responses = generate(self._model, self._tokenizer, inputs, output, seeds, **static)
        return [opened(r, item.payload[0]) for r, item in zip(responses, batch, strict=True)]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        return self._likelihoods.score(batch)

    def _rendered(self, request: Request, template: str | None) -> str:
        if template is None:
            return " ".join(message.text for message in request.messages)
        turns = [{"role": message.role, "content": message.text} for message in request.messages]
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    turns,
                    chat_template=template,
                    add_generation_prompt=True,
                    tokenize=False,
                    **self._thinking,
                )
            )
        except Exception as error:  # a template is a program: whatever it raises is about this conversation
            raise SampleError(
                f"The chat template refuses the conversation ({type(error).__name__}: {error}).",
                "Use another protocol, or --option template=plain.",
            ) from error

    def _inputs(self, rows: Sequence[tuple[Prepared, str]], side: str) -> Any:
        self._tokenizer.padding_side = side
        texts = [item.payload[0] + text for item, text in rows]
        # a chat template holds its special tokens; bare text gets those of the tokenizer
        templated = rows[0][0].payload[1]
        rows_of_ids = self._tokenizer(texts, add_special_tokens=not templated).input_ids
        if self._closes and not templated:
            rows_of_ids = [ids[:-1] for ids in rows_of_ids]
        found = self._tokenizer.pad({"input_ids": rows_of_ids}, return_tensors="pt")
        found.pop("token_type_ids", None)
        return found


def _quietly() -> None:
    """transformers shows how it unpacks GGUF tensors, without a switch; a run shows its own progress."""
    from functools import partial
    from importlib import import_module

    reader: Any = import_module("transformers.modeling_gguf_pytorch_utils")
    if not isinstance(reader.tqdm, partial):
        reader.tqdm = partial(reader.tqdm, disable=True)
