"""Our DreamLLM against its authors' code, on one checkpoint, value by value.

The original runs in its own environment (`evalsuite.isolated`) from a clone of its repository; both are given
the same texts, images and seeds, in float32.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import AdapterError, SpecError
from evalsuite.isolated.host import Child

if TYPE_CHECKING:
    import torch
    from PIL import Image

TIGHT, SAMPLED = 2e-5, 5e-4
"""Tolerances relative to the largest value: of one pass through the networks, and of images, whose denoising
amplifies rounding."""

CAPTIONS = ("A photo of a dog.", "two wine glasses on a dining table, DSLR photograph")
QUESTIONS = (
    "What is in the image?",
    "How many people can be seen?Please provide an accurate answer within one word.",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One comparison.

    Args:
        item: what was asked of both.
        ours, original: the two values in short.
        difference: largest difference relative to the largest value of the original; None for texts and ids.
        tolerance: what is allowed; None where they must be equal.
        equal: the verdict.
    """

    item: str
    ours: str
    original: str
    difference: float | None
    tolerance: float | None
    equal: bool

    def describe(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


class Original:
    """The authors' code in its environment.

    Args:
        adapter: the file that runs it.
        clone: of its repository.
        python: interpreter of its environment.
        checkpoint: folder in upstream's layout.

    Raises SpecError where a folder is missing, CheckpointError where the code cannot load the checkpoint.
    """

    def __init__(
        self, adapter: Path, clone: Path, python: str, checkpoint: Path, device: str = "cpu"
    ) -> None:
        for path, what in ((clone / "omni", "clone of DreamLLM's repository"), (checkpoint, "checkpoint")):
            if not path.is_dir():
                raise SpecError(f"There is no {what}: {path} is no folder.", "Give its path.")
        options = {
            "repo": str(clone.resolve()),
            "argument": str(checkpoint.resolve()),
            "device": device,
            "dtype": "float32",
        }
        self._child = Child(python, adapter, options)
        self._child.start()

    def stop(self) -> None:
        """Ends its process."""
        self._child.stop()

    def measure(
        self, what: str, text: str = "", image: bytes | None = None, **more: Any
    ) -> tuple[Mapping[str, Any], torch.Tensor | None]:
        """One value: the answer, and its tensor where it has one. Raises AdapterError where it fails."""
        import numpy as np
        import torch

        parts: list[dict[str, Any]] = [] if image is None else [{"image": 0, "name": "image"}]
        request = {
            "messages": [{"role": "user", "parts": [*parts, *([{"text": text}] if text else [])]}],
            "what": what, "prefill": "", "seed": 0, **more,
        }  # fmt: skip
        frame, blobs = self._child.ask("measure", [request], [] if image is None else [image])
        if frame["kind"] == "failed":
            raise AdapterError(f"DreamLLM's own code fails at {what}: {frame.get('error')}")
        answer = frame["answers"][0]
        tensor = None
        if answer.get("images"):
            flat = np.frombuffer(blobs[answer["images"][0]], np.float32).copy()
            tensor = torch.from_numpy(flat).reshape(answer["details"]["shape"])
        return answer, tensor


class Ours:
    """This package's DreamLLM, asked for the same values."""

    def __init__(self, checkpoint: Path, device: str = "cpu") -> None:
        from evalsuite.dreamllm.diffusion import ImageSampler
        from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
        from evalsuite.dreamllm.processing import DreamLLMProcessor

        self.model = DreamLLMForCausalLM.from_pretrained(checkpoint)
        self.model.to(device)  # type: ignore[arg-type]
        self.model.train(False)
        self.processor = DreamLLMProcessor.from_pretrained(checkpoint)
        self.sampler = ImageSampler(self.model)
        self.device = device

    def prompt(self, text: str, image: bytes | None) -> list[int]:
        """Ids of the evaluation template's prompt."""
        from evalsuite.content import Image, Message, Text
        from evalsuite.dreamllm.conversation import VICUNA_EVALUATION, render

        parts = (Text(text),) if image is None else (Image(data=image, name="image"), Text(text))
        return self.processor.encode(render((Message("user", parts),), VICUNA_EVALUATION))

    def pixels(self, image: bytes) -> torch.Tensor:
        return self.processor.pixels([opened(image)]).to(self.device)

    def features(self, image: bytes) -> torch.Tensor:
        found: torch.Tensor = self.model.project_images(self.model.encode_images(self.pixels(image)))
        return found

    def logits(self, ids: list[int], image: bytes | None) -> torch.Tensor:
        import torch

        found: torch.Tensor = self.model(
            torch.tensor([ids], device=self.device), images=None if image is None else self.pixels(image)
        ).logits
        return found

    def answer(self, ids: list[int], image: bytes | None, beams: int, tokens: int) -> list[int]:
        import torch

        from evalsuite.dreamllm.generation import generate_text

        (found,) = generate_text(
            self.model,
            torch.tensor([ids], device=self.device),
            images=None if image is None else self.pixels(image),
            max_new_tokens=tokens,
            num_beams=beams,
            length_normalization="prompt+generated",
        )
        return list(found.ids)

    def condition(self, text: str) -> torch.Tensor:
        import torch

        return self.sampler.condition(torch.tensor([self.processor.encode(text)], device=self.device))

    def image(self, text: str, steps: int, scale: float, seed: int) -> torch.Tensor:
        """(1, height, width, 3) in [0, 1]; the generator gives the first noise and that of every step."""
        import torch

        from evalsuite.dreamllm.diffusion import SamplingConfig

        latents = self.sampler.denoise(
            self.condition(text),
            torch.Generator(self.device).manual_seed(seed),
            SamplingConfig(steps=steps, guidance_scale=scale),
        )
        return self.sampler.decode(latents).permute(0, 2, 3, 1)


def opened(image: bytes) -> Image.Image:
    """The image as upstream's loader gives it."""
    from PIL import Image

    from evalsuite.dreamllm.images import to_rgb

    return to_rgb(Image.open(io.BytesIO(image)))


def compare(
    ours: Ours, original: Original, images: Mapping[str, bytes], *, tokens: int = 12, steps: int = 5
) -> Iterator[Difference]:
    """All comparisons, one after the other.

    Args:
        images: encoded, by name.
        tokens: of an answer.
        steps: denoising steps of an image.
    """
    import torch

    with torch.no_grad():
        for text in CAPTIONS:
            answer, tensor = original.measure("condition", text)
            yield same(f"ids of {text!r}", ours.processor.encode(text), answer["details"]["ids"])
            yield close(f"condition of {text!r}", ours.condition(text), tensor, TIGHT)
        for name, image in images.items():
            yield close(
                f"pixels of {name}", ours.pixels(image), original.measure("pixels", "", image)[1], 1e-6
            )
            yield close(
                f"embeddings of {name}",
                ours.features(image),
                original.measure("features", "", image)[1],
                TIGHT,
            )
        asked: list[tuple[str, str, bytes | None]] = [("text alone", "Name a colour.", None)]
        asked += [(name, question, image) for name, image in images.items() for question in QUESTIONS]
        for name, question, shown in asked:
            yield from _questions(ours, original, f"{question[:30]!r} on {name}", question, shown, tokens)
        for scale in (1.0, 2.0, 7.5):
            for text in CAPTIONS[:1]:
                output = {"steps": steps, "guidance_scale": scale}
                tensor = original.measure("image", text, output=output, seed=7)[1]
                made = ours.image(text, steps, scale, 7)
                yield close(f"image of {text!r}, {steps} steps, guidance {scale:g}", made, tensor, SAMPLED)


def _questions(
    ours: Ours, original: Original, title: str, question: str, image: bytes | None, tokens: int
) -> Iterator[Difference]:
    ids = ours.prompt(question, image)
    answer, tensor = original.measure("logits", question, image)
    yield same(f"prompt {title}", ids, answer["details"]["ids"])
    yield close(f"logits {title}", ours.logits(ids, image), tensor, TIGHT)
    for beams in (1, 5):
        output = {"max_new_tokens": tokens, "num_beams": beams, "temperature": 0.0, "length_penalty": 1.0}
        answer, _ = original.measure("answer", question, image, output=output)
        made = ours.answer(ids, image, beams, tokens)
        texts = ours.processor.decode(made).strip(), answer["text"]
        kind = "greedy" if beams == 1 else f"{beams} beams"
        yield same(f"answer {title}, {kind}", made, _ended(answer["details"]["made"], ours), texts)


def _ended(ids: list[int], ours: Ours) -> list[int]:
    """Without the ending token and what fills a row behind it."""
    end = ours.processor.tokens.eos
    return ids[: ids.index(end)] if end in ids else ids


def same(item: str, ours: list[int], original: list[int], shown: tuple[str, str] | None = None) -> Difference:
    """Two lists of ids that must be equal."""
    texts = shown or (f"{len(ours)} ids", f"{len(original)} ids")
    return Difference(item, texts[0], texts[1], None, None, ours == original)


def close(item: str, ours: torch.Tensor, original: torch.Tensor | None, tolerance: float) -> Difference:
    """Two tensors whose largest difference may be `tolerance` times the original's largest value."""
    if original is None or ours.shape != original.shape:
        shapes = str(tuple(ours.shape)), "none" if original is None else str(tuple(original.shape))
        return Difference(item, *shapes, None, tolerance, False)
    mine = ours.detach().float().cpu()
    scale = max(float(original.abs().max()), 1e-12)
    difference = float((mine - original).abs().max()) / scale
    values = f"{float(mine.mean()):.6g}", f"{float(original.mean()):.6g}"
    return Difference(item, *values, difference, tolerance, difference <= tolerance)


def images_of(folder: Path | None) -> dict[str, bytes]:
    """The images of a folder; without one, two that are drawn here. Raises SpecError where it has none."""
    from PIL import Image, ImageDraw

    if folder is None:
        drawn: dict[str, bytes] = {}
        for name, size, colour in (("wide", (45, 37), "navy"), ("tall", (30, 64), "olive")):
            made = Image.new("RGB", size, colour)
            ImageDraw.Draw(made).ellipse((5, 5, 25, 25), fill="orange")
            stream = io.BytesIO()
            made.save(stream, "PNG")
            drawn[name] = stream.getvalue()
        return drawn
    kinds = (".png", ".jpg", ".jpeg", ".webp")
    found = {
        path.stem: path.read_bytes() for path in sorted(folder.glob("*")) if path.suffix.lower() in kinds
    }
    if not found:
        raise SpecError(f"{folder} holds no images.", "Give a folder with PNG or JPEG files.")
    return found


Report = Callable[[Difference], None]


def run(
    adapter: Path, clone: Path, python: str, checkpoint: Path, *, images: Path | None = None,
    device: str = "cpu", out: Path | None = None, report: Report = lambda one: None,
) -> list[Difference]:  # fmt: skip
    """Every comparison; `report` gets each as it is made, `out` all as JSON lines."""
    chosen = images_of(images)
    original = Original(adapter, clone, python, checkpoint, device)
    found: list[Difference] = []
    try:
        for one in compare(Ours(checkpoint, device), original, chosen):
            found.append(one)
            report(one)
    finally:
        original.stop()
    if out is not None:
        from evalsuite.durable import write_file

        lines = [json.dumps(one.describe(), ensure_ascii=False) for one in found]
        write_file(out, ("\n".join(lines) + "\n").encode())
    return found
