"""Makes what the tests marked `unified` need: environments and tiny weights, beside clones that are there.

    python tests/unified/prepare.py FOLDER [HOME ...]

For each HOME (janus, showo …; all by default) FOLDER/HOME/clone must be a clone of the official repository
(`evalsuite models setup NAME` says which commit). The environment is that of the card's profile `tested`; two
things are put into it that have no place in a user's: a torchvision whose compiled operators are not loaded
(the wheel's are CUDA's), and where nothing else will do a stand-in for flash-attn.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODELS = {
    "janus": {"janus-pro": "janus_pro", "janusflow": "janus_flow"},
    "showo": {"show-o2": "show_o2"},
    "showo1": {"show-o": "show_o"},
    "bagel": {"bagel": "bagel"},
    "omnigen2": {"omnigen2": "omnigen_2"},
    "mmada": {"mmada": "mmada"},
    "blip3o": {"blip3o-next": "blip3o_next"},
    "blip3o1": {"blip3o": "blip_3o"},
    "emu3": {"emu3": "emu_3"},
    "ovisu1": {"ovis-u1": "ovis_u1"},
    "dreamllm": {"dreamllm-original": ""},  # its tiny model is in tests/golden
}
STAND_INS = {"bagel": ["flash_attn"], "ovisu1": ["flash_attn"]}
TORCHVISION = """# Test environment: the compiled operators of this wheel need CUDA; its transforms do not.
from .version import __version__
_HAS_OPS = False
def disable_beta_transforms_warning():
    pass
"""


def prepare(folder: Path, home: str) -> None:
    """One repository: its environment, and the weights of its models."""
    place = folder / home
    clone, env = place / "clone", place / "env"
    if not clone.is_dir():
        sys.exit(
            f"{clone} is not there; `evalsuite models setup {next(iter(MODELS[home]))}` says what to clone"
        )
    python = env / "bin" / "python"
    for name, tiny in MODELS[home].items():
        command = ["evalsuite", "models", "setup", name, "--profile", "tested", "--repo", str(clone)]
        subprocess.run([*command, "--env", str(env), "--python", sys.executable], check=False)
        found = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        packages = Path(found.stdout.strip())
        if (packages / "torchvision").is_dir():
            _replace(packages / "torchvision" / "__init__.py", TORCHVISION)
        for package in STAND_INS.get(home, ()):
            shutil.copytree(HERE / "stand_ins" / package, packages / package, dirs_exist_ok=True)
        if tiny:
            maker = HERE / "tiny" / f"make_{tiny}.py"
            subprocess.run([python, str(maker), str(clone), str(place / f"tiny_{tiny}")], check=True)


def _replace(file: Path, text: str) -> None:
    """A new file under the name: the old one may be a link into the installer's cache."""
    file.unlink()
    file.write_text(text)


if __name__ == "__main__":
    where = Path(sys.argv[1]).resolve()
    for one in sys.argv[2:] or list(MODELS):
        prepare(where, one)
