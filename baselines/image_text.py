"""Any image–text model of `transformers`, through its own processor and chat template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evalsuite.content import Image, Message, Text
from evalsuite.data.images import decode
from evalsuite.devices import resolve
from evalsuite.errors import CheckpointError, SampleError
from evalsuite.model import Model, ModelInfo, Prepared
from evalsuite.registry import ModelEntry, ModelOptions
from evalsuite.request import ChoiceResponse, GenerateText, Request, ScoreChoices, TextResponse
from evalsuite.weights import count, fingerprint

PLAIN_IMAGE = {"kosmos-2": "<image>", "paligemma": "<image>"}
"""How an image stands in the prompt of model types without a chat template; others take no mark."""


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "transformers",
        "any image-text model of transformers: transformers:FOLDER or transformers:HUB/ID",
        frozenset({"text", "choices"}),
        load,
        takes_argument=True,
    )


def load(options: ModelOptions) -> Model:
    """Loads the model named by `options.argument`.

    Options: `name` (in leaderboards), `revision`, `template` (a Jinja chat template that overrides the
    checkpoint's), `attention` (`sdpa`, `eager`, `flash_attention_2`), `trust_remote_code=yes` (off otherwise;
    recorded).

    Raises CheckpointError when the folder cannot be loaded.
    """
    return ImageTextModel(options)


class ImageTextModel:
    """Text generation and choice scoring with an `AutoModelForImageTextToText`.

    The image processor's PIL backend is pinned and recorded: torchvision's gives other pixels.
    """

    def __init__(self, options: ModelOptions) -> None:
        import transformers

        self._device, dtype = resolve(options)
        self._options = options.options
        source = options.argument
        common: dict[str, Any] = {
            "revision": self._options.get("revision", "main"),
            "trust_remote_code": self._options.get("trust_remote_code") == "yes",
        }
        if Path(source).is_dir() and not (Path(source) / "config.json").is_file():
            raise CheckpointError(
                f"{source} holds no transformers model: config.json is missing.",
                "Give the folder that save_pretrained wrote.",
            )
        attention = (
            {"attn_implementation": self._options["attention"]} if "attention" in self._options else {}
        )
        try:
            self._processor = transformers.AutoProcessor.from_pretrained(source, backend="pil", **common)
            model = transformers.AutoModelForImageTextToText.from_pretrained(
                source, dtype=dtype, use_safetensors=True, **attention, **common
            )
        except (OSError, ValueError, ImportError) as error:
            raise CheckpointError(
                f"{source} cannot be loaded as an image-text model ({error}).",
                "It needs config.json, safetensors weights, tokenizer and processor.",
            ) from error
        self._model = model.to(self._device).eval()  # type: ignore[arg-type]
        self._processor.tokenizer.padding_side = "left"
        if self._processor.tokenizer.pad_token_id is None:
            self._processor.tokenizer.pad_token = self._processor.tokenizer.eos_token
        self._template = self._options.get("template") or getattr(self._processor, "chat_template", None)
        self._info = ModelInfo(
            self._options.get("name", Path(source).name),
            fingerprint([self._model]),
            count([self._model]),
            {
                "source": source,
                "model_type": model.config.model_type,
                "device": str(self._device),
                "dtype": str(dtype).removeprefix("torch."),
                "image_backend": "pil",
                "trust_remote_code": common["trust_remote_code"],
            },
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        """Decodes the images and renders the prompt; tokenisation is batched with the padding."""
        images = [decode(image) for image in request.images]
        prompt = self._render(request)
        group: tuple[Any, ...] = (bool(images),)
        if isinstance(request.output, GenerateText):
            # sampling must not depend on the batch
            alone = request.seed if request.output.temperature > 0 else None
            group += (request.output, alone)
        return Prepared(request, (prompt, images), float(len(prompt) + 1000 * len(images)), group)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        import torch

        output = batch[0].request.output
        assert isinstance(output, GenerateText)
        inputs = self._inputs([item.payload[0] for item in batch], [item.payload[1] for item in batch])
        sampling: dict[str, Any] = {"do_sample": False}
        if output.temperature > 0:
            torch.manual_seed(batch[0].request.seed)
            sampling = {"do_sample": True, "temperature": output.temperature, "top_p": output.top_p}
        with torch.inference_mode():
            ids = self._model.generate(
                **inputs,
                max_new_tokens=output.max_new_tokens,
                num_beams=output.num_beams,
                length_penalty=output.length_penalty,
                **sampling,
            )[:, inputs["input_ids"].shape[1] :]
        return [self._response(row, output) for row in ids]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        """Sums log-probabilities of each choice's tokens after the prompt.

        A choice is tokenised together with the prompt; its tokens are those beyond the longest common prefix
        with the prompt alone.
        """
        return [self._score(item) for item in batch]

    def _score(self, item: Prepared) -> ChoiceResponse:
        import torch

        assert isinstance(item.request.output, ScoreChoices)
        prompt, images = item.payload
        choices = item.request.output.choices
        alone = self._inputs([prompt], [images])["input_ids"][0]
        sums, counts = [], []
        for choice in choices:
            inputs = self._inputs([prompt + choice], [images])
            ids = inputs["input_ids"][0]
            shared = min(len(ids), len(alone))
            start = int((ids[:shared] == alone[:shared]).long().cumprod(0).sum())
            if start == len(ids):
                raise SampleError(
                    f"Choice {choice!r} adds no token to the prompt.", "Choices must not be empty."
                )
            with torch.inference_mode():
                logits = self._model(**inputs).logits[0].float()
            tail = logits[-(len(ids) - start) - 1 : -1].log_softmax(-1)
            sums.append(float(tail.gather(1, ids[start:, None]).sum()))
            counts.append(len(ids) - start)
        return ChoiceResponse(tuple(sums), tuple(counts))

    def _inputs(self, prompts: list[str], images: list[list[Any]]) -> Any:
        arguments: dict[str, Any] = {"text": prompts, "padding": True, "return_tensors": "pt"}
        if images[0]:
            arguments["images"] = images
        if self._template:
            arguments["add_special_tokens"] = False  # the template holds them
        return self._processor(**arguments).to(self._device, dtype=self._model.dtype)

    def _render(self, request: Request) -> str:
        if self._template:
            turns = [{"role": m.role, "content": list(map(_content, m.parts))} for m in request.messages]
            rendered = self._processor.apply_chat_template(
                turns, chat_template=self._template, add_generation_prompt=True, tokenize=False
            )
            return str(rendered) + request.prefill
        mark = PLAIN_IMAGE.get(self._model.config.model_type, "")
        return " ".join(_plain(message, mark) for message in request.messages) + request.prefill

    def _response(self, ids: Any, output: GenerateText) -> TextResponse:
        tokenizer = self._processor.tokenizer
        special = set(tokenizer.all_special_ids)
        tokens = sum(int(i) not in special for i in ids)
        ended = any(int(i) in special for i in ids)
        text = tokenizer.decode(ids, skip_special_tokens=True).strip()
        for stop in output.stop:
            text = text.split(stop)[0]
        return TextResponse(text, tokens, truncated=not ended and len(ids) >= output.max_new_tokens)


def _content(part: Text | Image) -> dict[str, str]:
    return {"type": "text", "text": part.text} if isinstance(part, Text) else {"type": "image"}


def _plain(message: Message, mark: str) -> str:
    return "".join(part.text if isinstance(part, Text) else mark for part in message.parts)
