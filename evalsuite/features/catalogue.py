"""The published weights that metrics use: file names, sizes, where they come from, and what is known of their
digests.

A digest stands here only where it is known: complete where the file itself was read, else the first digits,
which its publishers put into its name (the convention of torch's hub).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_TORCHVISION = "https://download.pytorch.org/models/"
_HUB = "https://huggingface.co/"
_LPIPS = "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/"


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A single file of weights.

    Args:
        name: of the file in the weights folder.
        url: where it is published.
        size: for people.
        sha256: what the hex digest begins with; "" where nothing is known.
        packages: installed packages that carry the same file, as `PACKAGE/PATH`.
        licence: as its publishers state it; "" where they state none for the file.
    """

    name: str
    url: str
    size: str
    sha256: str = ""
    packages: tuple[str, ...] = ()
    licence: str = ""


def _heads(backbone: str, size: str, sha256: str) -> WeightsFile:
    return WeightsFile(
        f"lpips-v0.1-{backbone}.pth",
        f"{_LPIPS}{backbone}.pth",
        size,
        sha256,
        (f"lpips/weights/v0.1/{backbone}.pth", f"torchmetrics/functional/image/lpips_models/{backbone}.pth"),
    )


FILES: Mapping[str, WeightsFile] = MappingProxyType(
    {
        file.name: file
        for file in (
            WeightsFile(
                "pt_inception-2015-12-05-6726825d.pth",
                "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
                "pt_inception-2015-12-05-6726825d.pth",
                "91 MB",
                "6726825d",
            ),
            WeightsFile(
                "weights-inception-2015-12-05-6726825d.pth",
                "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
                "weights-inception-2015-12-05-6726825d.pth",
                "91 MB",
                "6726825d",
            ),
            WeightsFile(
                "inception-2015-12-05.pt",
                "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"
                "inception-2015-12-05.pt",
                "91 MB",
            ),
            WeightsFile(
                "alexnet-owt-7be5be79.pth",
                f"{_TORCHVISION}alexnet-owt-7be5be79.pth",
                "233 MB",
                "7be5be79",
            ),
            WeightsFile("vgg16-397923af.pth", f"{_TORCHVISION}vgg16-397923af.pth", "528 MB", "397923af"),
            WeightsFile(
                "squeezenet1_1-b8a52dc0.pth",
                f"{_TORCHVISION}squeezenet1_1-b8a52dc0.pth",
                "4.7 MB",
                "b8a52dc0",
            ),
            WeightsFile(
                "HPS_v2.1_compressed.pt",
                f"{_HUB}xswu/HPSv2/resolve/main/HPS_v2.1_compressed.pt",
                "about 1.9 GB",
                licence="Apache-2.0",
            ),
            WeightsFile(
                "HPS_v2_compressed.pt",
                f"{_HUB}xswu/HPSv2/resolve/main/HPS_v2_compressed.pt",
                "about 1.9 GB",
                licence="Apache-2.0",
            ),
            WeightsFile(
                "HPSv3.safetensors",
                f"{_HUB}MizzenAI/HPSv3/resolve/main/HPSv3.safetensors",
                "about 16 GB",
                licence="MIT",
            ),
            WeightsFile(
                "ImageReward.pt",
                f"{_HUB}THUDM/ImageReward/resolve/main/ImageReward.pt",
                "about 1.8 GB",
                licence="Apache-2.0",
            ),
            WeightsFile(
                "sac+logos+ava1-l14-linearMSE.pth",
                "https://raw.githubusercontent.com/christophschuhmann/improved-aesthetic-predictor/main/"
                "sac%2Blogos%2Bava1-l14-linearMSE.pth",
                "3.7 MB",
                "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0",
                licence="Apache-2.0",
            ),
            WeightsFile(
                "model_base_vqa_capfilt_large.pth",
                "https://storage.googleapis.com/sfr-vision-language-research/BLIP/models/"
                "model_base_vqa_capfilt_large.pth",
                "size unknown",
                licence="BSD-3-Clause",
            ),
            WeightsFile(
                "dreamsim_ensemble_checkpoint.zip",
                "https://github.com/ssundaram21/dreamsim/releases/download/v0.2.0-checkpoints/"
                "dreamsim_ensemble_checkpoint.zip",
                "size unknown",
                licence="MIT",
            ),
            WeightsFile(
                "dino_vitbase16_pretrain.pth",
                "https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth",
                "343 MB",
                licence="Apache-2.0",
            ),
            _heads("alex", "6 kB", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
            _heads("vgg", "7 kB", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
            _heads("squeeze", "11 kB", "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76"),
        )
    }
)
"""Single files by name."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "inception": ("pt_inception-2015-12-05-6726825d.pth",),
        "hpsv2.1": ("HPS_v2.1_compressed.pt",),
        "hpsv2": ("HPS_v2_compressed.pt",),
        "hpsv3": ("HPSv3.safetensors",),
        "image-reward": ("ImageReward.pt",),
        "aesthetic-v2": ("sac+logos+ava1-l14-linearMSE.pth",),
        "blip-vqa": ("model_base_vqa_capfilt_large.pth",),
        "dreamsim": ("dreamsim_ensemble_checkpoint.zip", "dino_vitbase16_pretrain.pth"),
        "lpips-alex": ("alexnet-owt-7be5be79.pth", "lpips-v0.1-alex.pth"),
        "lpips-vgg": ("vgg16-397923af.pth", "lpips-v0.1-vgg.pth"),
        "lpips-squeeze": ("squeezenet1_1-b8a52dc0.pth", "lpips-v0.1-squeeze.pth"),
    }
)
"""What one network needs, by a name that can be typed."""

REPOSITORIES: Mapping[str, str] = MappingProxyType(
    {
        "openai/clip-vit-base-patch32": "605 MB",
        "openai/clip-vit-base-patch16": "599 MB",
        "openai/clip-vit-large-patch14": "1.7 GB",
        "openai/clip-vit-large-patch14-336": "1.7 GB",
        "facebook/dino-vits16": "87 MB",
        "facebook/dino-vitb8": "343 MB",
        "facebook/dino-vitb16": "343 MB",
        "sentence-transformers/all-mpnet-base-v2": "438 MB",
        "yuvalkirstain/PickScore_v1": "about 3.9 GB",
        "zhiqiulin/clip-flant5-xxl": "11 billion weights",
    }
)
"""Hub repositories and what they cost; "size unknown" for others."""

LICENCES: Mapping[str, str] = MappingProxyType(
    {"yuvalkirstain/PickScore_v1": "MIT", "zhiqiulin/clip-flant5-xxl": "Apache-2.0"}
)
"""Of hub repositories, where their publishers' code states it."""
