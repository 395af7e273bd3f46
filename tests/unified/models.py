"""The tiny models of unified models' real classes: where they live, and what each is asked to do.

`EVALSUITE_UNIFIED=FOLDER` names a folder with NAME/clone (the official repository), NAME/env (its
environment) and NAME/tiny_ADAPTER (weights, made by tests/unified/tiny); tests/unified/README.md says how to
make them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evalsuite.isolated.adapter import IsolatedModel
from evalsuite.model import ModelOptions

HERE = Path(__file__).parent
ADAPTERS = HERE.parents[1] / "baselines" / "isolated" / "adapters"


@dataclass(frozen=True)
class Tiny:
    """One tiny model.

    Args:
        adapter: file of its adapter, without `.py`.
        home: folder under `EVALSUITE_UNIFIED`.
        side: pixels of the images that it generates.
        name: of its card.
        options: `{weights}` stands for the folder of its weights, `{home}` for its home.
        through: file of stand_ins that loads the adapter, where the official code has no way to be small.
    """

    adapter: str
    home: str
    side: int
    name: str
    options: dict[str, str] = field(default_factory=dict)
    text: bool = True
    edits: bool = False
    documents: bool = False
    through: str = ""

    @property
    def file(self) -> Path:
        return HERE / "stand_ins" / self.through if self.through else ADAPTERS / f"{self.adapter}.py"

    @property
    def folder(self) -> Path:
        return Path(os.environ.get("EVALSUITE_UNIFIED", "/nowhere")) / self.home

    @property
    def weights(self) -> Path:
        return self.folder / f"tiny_{self.adapter}"

    @property
    def python(self) -> Path:
        return self.folder / "env" / "bin" / "python"

    @property
    def missing(self) -> list[Path]:
        """What is not there of what it needs."""
        needed = (self.folder / "clone", self.folder / "env", self.weights)
        return [path for path in needed if not path.is_dir()]

    @property
    def given(self) -> dict[str, str]:
        """Its options, as a user would write them."""
        own = {
            key: value.format(weights=self.weights, home=self.folder) for key, value in self.options.items()
        }
        return own | {"python": str(self.python), "repo": str(self.folder / "clone")}


TINY = [
    Tiny("janus_pro", "janus", 32, "janus-pro", {"image_size": "32"}),
    Tiny("janus_flow", "janus", 384, "janusflow", {"steps": "2", "vae": "{weights}/vae"}),
    Tiny(
        "show_o2",
        "showo",
        64,
        "show-o2",
        {
            "steps": "3",
            "max_seq_length": "160",
            "llm": "{weights}/llm",
            "vae": "{weights}/Wan2.1_VAE.pth",
        },
    ),
    Tiny(
        "show_o",
        "showo1",
        64,
        "show-o",
        {"steps": "3", "max_text": "96", "llm": "{weights}/llm", "vq": "{weights}/magvitv2"},
    ),
    Tiny(
        "bagel",
        "bagel",
        32,
        "bagel",
        {
            "steps": "3",
            "image_size": "32",
            "vae_sizes": "48,32",
            "vit_sizes": "56,28",
            "max_think_tokens": "4",
        },
        edits=True,
        documents=True,
    ),
    Tiny(
        "omnigen_2",
        "omnigen2",
        32,
        "omnigen2",
        {"steps": "3", "image_size": "32", "max_pixels": "1024"},
        edits=True,
    ),
    Tiny(
        "mmada",
        "mmada",
        32,
        "mmada",
        {"steps": "3", "image_size": "32", "max_text": "64", "vq": "{weights}/magvitv2"},
    ),
    Tiny("ovis_u1", "ovisu1", 32, "ovis-u1", {"steps": "3", "image_size": "32"}, edits=True),
    Tiny(
        "blip3o_next",
        "blip3o",
        64,
        "blip3o-next",
        {"steps": "2", "image_tokens": "6", "hub": "{weights}/hub"},
        text=False,
    ),
    Tiny(
        "blip_3o",
        "blip3o1",
        32,
        "blip3o",
        {
            "steps": "2",
            "clip_steps": "2",
            "image_size": "32",
            "min_pixels": "784",
            "max_pixels": "3136",
            "processor": "{weights}/processor",
            "hub": "{weights}/hub",
        },
        through="small_blip_3o.py",
    ),
    Tiny("emu_3", "emu3", 32, "emu3", {"vq": "{weights}/vq", "attention": "eager"}),
]


def require(tiny: Tiny) -> None:
    """Skips the test where the model is not here."""
    if tiny.missing:
        names = ", ".join(str(path) for path in tiny.missing)
        pytest.skip(f"set EVALSUITE_UNIFIED (tests/unified/README.md); not there: {names}")


def build(tiny: Tiny) -> IsolatedModel:
    """The model, loaded in its environment."""
    require(tiny)
    return IsolatedModel(ModelOptions(str(tiny.weights), "cpu", "float32", tiny.given), tiny.file)
