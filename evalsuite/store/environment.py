"""What a number depends on besides model and data: software versions, commit, hardware."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from evalsuite.store.manifest import Environment

_PACKAGES = (
    "evalsuite",
    "torch",
    "transformers",
    "diffusers",
    "accelerate",
    "tokenizers",
    "datasets",
    "numpy",
    "pandas",
    "pyarrow",
    "pillow",
    "scipy",
    "safetensors",
    "pycocoevalcap",
    "clean-fid",
    "openai",
)


def collect(plugins: Iterable[Path] = ()) -> Environment:
    """Describes this process's environment; nothing heavy is imported."""
    commit, dirty = _git()
    return Environment(
        python=platform.python_version(),
        packages=_versions(),
        git_commit=commit,
        git_dirty=dirty,
        machine=f"{platform.system()} {platform.machine()} {_processor()}".strip(),
        cpus=os.cpu_count() or 1,
        memory_gib=_memory(),
        gpus=gpus(),
        numerics=numerics(),
        plugins={
            str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in plugins if path.is_file()
        },
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git() -> tuple[str, bool]:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "", False
    try:
        commit = _output(root, "rev-parse", "HEAD")
        return commit, bool(_output(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def _output(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def gpus() -> tuple[str, ...]:
    """Names of the GPUs; none before torch is loaded."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))


def numerics() -> dict[str, str]:
    """Settings that change the bits a GPU computes; none where there is no GPU, or before torch is loaded.

    TF32 is torch's default for convolutions: a run in `float32` is not float32 throughout.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    found = {
        "cuda": torch.version.cuda or torch.version.hip,
        "cudnn": torch.backends.cudnn.version(),
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "bf16_reduced_precision_reduction": (
            torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
        ),
    }
    return {name: str(value).lower() for name, value in found.items()}
