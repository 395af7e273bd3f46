"""The official packages that results are compared with, and how each is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Package:
    """An official implementation on PyPI.

    Args:
        name: its distribution, as pip calls it.
        requirements: what pip installs; `torch` and `transformers` get the versions of this environment.
        source: where its code is.
        needs: what pip cannot install.
    """

    name: str
    requirements: tuple[str, ...]
    source: str
    needs: str = ""

    @property
    def install(self) -> str:
        """The command that installs it."""
        further = f" ({self.needs})" if self.needs else ""
        return f"pip install {' '.join(self.requirements)}{further}"


PACKAGES: Mapping[str, Package] = MappingProxyType(
    {
        package.name: package
        for package in (
            # clean-fid and pytorch-fid pass `disp` to scipy's sqrtm, which SciPy 1.18 no longer takes.
            Package("clean-fid", ("torch", "torchvision", "clean-fid", "scipy<1.18"), "GaParmar/clean-fid"),
            Package("torch-fidelity", ("torch", "torchvision", "torch-fidelity"), "toshas/torch-fidelity"),
            Package(
                "pytorch-fid", ("torch", "torchvision", "pytorch-fid", "scipy<1.18"), "mseitzer/pytorch-fid"
            ),
            Package(
                "torchmetrics",
                ("torch", "torchvision", "torchmetrics", "torch-fidelity", "pillow"),
                "Lightning-AI/torchmetrics",
            ),
            Package("pycocoevalcap", ("pycocoevalcap",), "salaniz/pycocoevalcap", "and a Java runtime"),
            Package("lm-eval", ("torch", "transformers", "lm-eval[hf]"), "EleutherAI/lm-evaluation-harness"),
        )
    }
)
