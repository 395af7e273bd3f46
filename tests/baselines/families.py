"""What each model type does through the public path: the tests' helper, and the table in `docs/models.md`.

    python -m tests.baselines.families            # measures all again and writes the table
    python -m tests.baselines.families FOLDER     # writes the tiny checkpoints, to be run by name

Families whose processors need torchvision are measured where it can be imported, and are named as not
measured elsewhere.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PilImage

from evalsuite.content import Image, user
from evalsuite.errors import EvalsuiteError
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import Registry, load_registry
from evalsuite.request import GenerateImages, GenerateText, Request, ScoreChoices
from tests.baselines import tiny, torchvision

HAS_TORCHVISION = torchvision.available()
"""Asked before transformers loads anything: it would import torchvision itself."""
DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"
BEGIN, END = "<!-- families -->", "<!-- end -->"
SMALL = {"Emu3": {"image_area": "256"}}
"""Options without which a tiny model would take long."""
TEXTS = ("what color is it", "is this an image of seven red circles that lie on a table?", "red", "z")
"""Of different length; Kosmos-2 shows with these that batches change its answers."""
CHOICES = (" red", " blue, of course")


def families() -> dict[str, tuple[str, Callable[[], tiny.Made]]]:
    """Family -> the adapter that serves it, and what makes a tiny one."""
    known = {name: ("transformers", make) for name, make in tiny.FAMILIES.items()}
    known |= {name: ("transformers", make) for name, make in tiny.NEEDS_TORCHVISION.items()}
    known |= {name: ("unified", make) for name, make in tiny.UNIFIED.items()}
    return known | {name: ("causal", make) for name, make in tiny.LANGUAGE.items()}


def save(make: Callable[[], tiny.Made], folder: Path) -> str:
    """Writes a checkpoint; the name of its class."""
    torch.manual_seed(0)
    model, processor = make()
    tiny.lively(model).save_pretrained(folder)
    processor.save_pretrained(folder)
    return type(model).__name__


def load(adapter: str, folder: Path, dtype: str = "auto", **options: str) -> Any:
    """A checkpoint as a run loads it."""
    entry, argument = _registry().model(f"{adapter}:{folder}")
    return entry.build(ModelOptions(argument=argument, device="cpu", dtype=dtype, options=options))


@cache
def _registry() -> Registry:
    return load_registry()


def picture(seed: int) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    stream = io.BytesIO()
    PilImage.fromarray(pixels).save(stream, "PNG")
    return Image(stream.getvalue())


def asked(adapter: str, output: Any, texts: Sequence[str] = TEXTS) -> list[Request]:
    """One request per text, with an image where the adapter reads some."""
    return [
        Request((user(text) if adapter == "causal" else user(picture(i), text),), output, seed=i)
        for i, text in enumerate(texts)
    ]


def answers(model: Any, requests: Sequence[Request]) -> tuple[list[str], list[str]]:
    """Texts in a batch, and one at a time."""
    prepared = [model.prepare(request) for request in requests]
    together = [response.text for response in model.generate_text(prepared)]
    return together, [model.generate_text([item])[0].text for item in prepared]


def likelihoods(model: Any, requests: Sequence[Request]) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihoods in a batch, and one at a time; (requests, choices)."""
    prepared = [model.prepare(request) for request in requests]
    together = [response.log_likelihoods for response in model.score_choices(prepared)]
    alone = [model.score_choices([item])[0].log_likelihoods for item in prepared]
    return np.array(together), np.array(alone)


@dataclass(frozen=True)
class Finding:
    """A row of the table."""

    family: str
    kind: str
    adapter: str
    prompt: str
    batches: str
    choices: str
    draws: str = "–"

    def row(self) -> str:
        cells = (
            self.family, f"`{self.kind}`", f"`{self.adapter}:`", self.prompt, self.batches, self.choices,
            self.draws,
        )  # fmt: skip
        return "| " + " | ".join(cells) + " |"


def measure(family: str) -> Finding:
    """Builds, saves, loads and asks one family."""
    adapter, make = families()[family]
    if family in tiny.NEEDS_TORCHVISION and not HAS_TORCHVISION:
        return Finding(family, "–", adapter, "–", "not measured: no torchvision here", "–")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kind = save(make, folder)
        model = load(adapter, folder, **SMALL.get(family, {}))
        together, alone = answers(model, asked(adapter, GenerateText(max_new_tokens=30)))
        batches = "yes" if together == alone else "no: asked one at a time"
        return Finding(
            family, kind, adapter, model.info.details["prompt"], batches, _choices(model, adapter),
            _draws(model, adapter),
        )  # fmt: skip


def _choices(model: Any, adapter: str) -> str:
    try:
        together, alone = likelihoods(model, asked(adapter, ScoreChoices(CHOICES)))
    except EvalsuiteError:
        return "refused"
    return f"yes (±{abs(together - alone).max():.0e})"


def _draws(model: Any, adapter: str) -> str:
    if adapter != "unified":
        return "–"
    request = Request((user("a red circle"),), GenerateImages(guidance_scale=1.0), seed=1)
    once, again = (model.generate_images([model.prepare(request)])[0].images[0].sha256() for _ in range(2))
    return "yes, same seed same image" if once == again else "no"


def table() -> str:
    """The table in Markdown."""
    head = (
        "| family | class | adapter | prompt | batch = single | choices (batch against single) "
        "| image generation |"
    )
    rows = [measure(family).row() for family in families()]
    return "\n".join([head, "| --- " * 7 + "|", *rows])


def write_all(root: Path) -> None:
    """Writes every checkpoint that can be made here into a folder of its family's name."""
    for family, (_, make) in families().items():
        if family not in tiny.NEEDS_TORCHVISION or HAS_TORCHVISION:
            save(make, root / re.sub(r"[^a-z0-9.]+", "-", family.lower()).strip("-"))


def main() -> None:
    if len(sys.argv) > 1:
        write_all(Path(sys.argv[1]))
        return
    head, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    _, tail = rest.split(END)
    DOCUMENT.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
