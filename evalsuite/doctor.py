"""What works here, what is missing, and how to get it. Looks only; fetches nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from evalsuite.data.hub import offline
from evalsuite.errors import EvalsuiteError, is_interruption, reason_of
from evalsuite.registry import Registry, load_registry
from evalsuite.task.entry import TaskOptions


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Args:
        area: heading it stands under.
        state: `missing` is something optional, `broken` something that should work and does not.
        remedy: what to do; empty when nothing is to be done.
    """

    area: str
    name: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    remedy: str = ""


_PURPOSES = {
    "meteor": "METEOR and SPICE of captions",
    "api": "models and judges behind an OpenAI-compatible server",
    "gguf": "GGUF checkpoints",
    "ray": "several workers: --workers, --ray-address",
    "peft": "adapters (LoRA) of checkpoints",
    "tensorboard": "--log-to tensorboard",
    "mlflow": "--log-to mlflow",
    "wandb": "--log-to wandb",
    "trackio": "--log-to trackio",
    "lightning": "a callback for its Trainer",
    "torchmetrics": "evalsuite.torchmetrics",
    "coco": "COCO objects of pycocotools",
    "inspect": "export as an Inspect log",
    "docs": "building the documentation",
    "test": "running the tests",
}
"""Extra -> what it is for."""

_WEIGHTS = {
    "pt_inception-2015-12-05-6726825d.pth": "Fréchet Inception distance as pytorch-fid computes it",
    "weights-inception-2015-12-05-6726825d.pth": "Fréchet Inception distance as torch-fidelity computes it",
    "inception-2015-12-05.pt": "Fréchet Inception distance as clean-fid computes it",
}
_NETWORKS = {
    "openai/clip-vit-base-patch32": "CLIP scores of text-to-image and editing",
    "openai/clip-vit-large-patch14": "CLIP selection among several images",
    "facebook/dino-vits16": "DINO similarity of editing and subjects",
}

_EXTRA = re.compile(r"extra\s*==\s*[\"']([\w-]+)")
_LEAST_SPACE = 2.0
"""GiB free below which a run is likely to fill the disk."""


def examine(plugins: Iterable[Path] = (), *, data: bool = True) -> Iterator[Finding]:
    """All findings, as they are made.

    Args:
        plugins: plugin files to load too.
        data: look for the data of every task (computes their checksums: slow where there are many).
    """
    with offline():  # what is not in the cache is missing, not fetched
        yield from _findings(load_registry(plugins), data)


def _findings(registry: Registry, data: bool) -> Iterator[Finding]:
    yield from _software()
    yield from _device()
    yield from _extras()
    yield from _keys()
    yield from _java()
    yield from _weights()
    yield from _places()
    yield from _plugins(registry)
    if data:
        yield from _data(registry)


def _software() -> Iterator[Finding]:
    yield Finding("software", "python", "ok", f"{platform.python_version()} on {platform.platform()}")
    for name in _requirements():
        if (version := _version(name)) is not None:
            yield Finding("software", name, "ok", version)
        else:
            yield Finding("software", name, "broken", "not installed", f"pip install {name}")


def _requirements() -> list[str]:
    """The names of what evalsuite itself requires."""
    lines = metadata.requires("evalsuite") or []
    return [_name(line) for line in lines if "extra ==" not in line]


def _name(requirement: str) -> str:
    return next(
        requirement[:i] for i in range(len(requirement) + 1)
        if i == len(requirement) or not (requirement[i].isalnum() or requirement[i] in "-_.")
    )  # fmt: skip


def _device() -> Iterator[Finding]:
    try:
        import torch
    except BaseException as error:  # a broken installation raises whatever it likes
        if is_interruption(error):
            raise
        yield Finding("device", "torch", "broken", f"cannot be imported ({error})", "pip install torch")
        return
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(i).total_memory / 2**30
            half = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
            yield Finding(
                "device", f"cuda:{i}", "ok", f"{torch.cuda.get_device_name(i)}, {memory:.0f} GiB, {half}"
            )
    elif torch.backends.mps.is_available():
        yield Finding("device", "mps", "ok", "Apple GPU")
    else:
        yield Finding(
            "device",
            "GPU",
            "missing",
            "torch sees none: the miniature runs on the CPU, checkpoints of billions of parameters need one",
            "Install a torch build for your GPU (without constraints.txt).",
        )
    settings = {name: os.environ.get(name, "unset") for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")}
    told = ", ".join(f"{name}={value}" for name, value in settings.items())
    yield Finding(
        "device", "threads", "ok", f"{torch.get_num_threads()} for torch of {os.cpu_count()} cores; {told}"
    )


def _extras() -> Iterator[Finding]:
    """Each optional extra, with what of it is not installed."""
    parts: dict[str, list[str]] = {}
    for line in metadata.requires("evalsuite") or []:
        if (found := _EXTRA.search(line)) is not None:
            parts.setdefault(found[1], []).append(_name(line))
    for extra, names in parts.items():
        versions = {name: _version(name) for name in names}
        absent = [name for name, version in versions.items() if version is None]
        purpose = f" ({_PURPOSES[extra]})" if extra in _PURPOSES else ""
        if absent:
            yield Finding(
                "optional extras", extra, "missing", f"without {', '.join(absent)}{purpose}",
                f"pip install 'evalsuite[{extra}]'",
            )  # fmt: skip
        else:
            told = ", ".join(f"{name} {version}" for name, version in versions.items())
            many = f"all {len(names)} packages are installed"
            yield Finding("optional extras", extra, "ok", (told if len(names) == 1 else many) + purpose)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _keys() -> Iterator[Finding]:
    """Whether the key of the default server is set; the key itself is not shown."""
    from evalsuite.endpoint.server import DEFAULT_KEY

    if os.environ.get(DEFAULT_KEY):
        yield Finding("judges", DEFAULT_KEY, "ok", "is set")
    else:
        yield Finding(
            "judges", DEFAULT_KEY, "missing", "is not set; servers of your own need no key",
            f"export {DEFAULT_KEY}=…, or name another variable with --key-env.",
        )  # fmt: skip


def _java() -> Iterator[Finding]:
    from evalsuite.metrics.meteor import meteor_obstacle
    from evalsuite.metrics.spice import spice_obstacle

    java = shutil.which("java")
    if java:
        yield Finding("optional programs", "java", "ok", java)
    else:
        yield Finding(
            "optional programs", "java", "missing",
            "METEOR needs it, and SPICE; all other caption metrics do not",
            "Install a Java runtime (8 or newer), e.g. `apt install default-jre-headless`.",
        )  # fmt: skip
    for name, obstacle in (("METEOR", meteor_obstacle()), ("SPICE", spice_obstacle())):
        if obstacle:
            yield Finding("optional programs", name, "missing", obstacle)
        else:
            yield Finding("optional programs", name, "ok", "Java and its program are here")


def _weights() -> Iterator[Finding]:
    from evalsuite.features.weights import find_file, find_folder

    places: list[tuple[Callable[[str], Path], dict[str, str]]] = [
        (find_file, _WEIGHTS), (find_folder, _NETWORKS),
    ]  # fmt: skip
    for find, wanted in places:
        for name, purpose in wanted.items():
            try:
                yield Finding("weights of metrics", name, "ok", f"{find(name)} ({purpose})")
            except EvalsuiteError as error:
                yield Finding("weights of metrics", name, "missing", purpose, error.remedy)


def _places() -> Iterator[Finding]:
    from evalsuite.cache import cache_folder

    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        writable = os.access(cache, os.W_OK)
    except OSError:
        writable = False
    if writable:
        yield Finding("places", "cache", "ok", str(cache))
    else:
        yield Finding(
            "places", "cache", "broken", f"{cache} cannot be written", "Set EVALSUITE_CACHE to a folder."
        )
    root = os.environ.get("EVALSUITE_DATA")
    if root is None:
        yield Finding(
            "places", "data", "missing", "EVALSUITE_DATA is not set; official files are found by --data only",
            "Set EVALSUITE_DATA to a folder that holds one folder per benchmark.",
        )  # fmt: skip
    elif Path(root).is_dir():
        yield Finding("places", "data", "ok", root)
    else:
        yield Finding("places", "data", "broken", f"EVALSUITE_DATA={root} is not a folder", "Correct it.")
    for name, folder in (("this folder", Path.cwd()), ("cache", cache)):
        try:
            free = shutil.disk_usage(folder).free / 2**30
        except OSError:
            continue
        state: Literal["ok", "missing"] = "ok" if free >= _LEAST_SPACE else "missing"
        remedy = "" if state == "ok" else "Free some space: generated images are kept."
        yield Finding("places", f"disk of {name}", state, f"{free:.1f} GiB free", remedy)


def _plugins(registry: Registry) -> Iterator[Finding]:
    counts = f"{len(registry.tasks)} tasks, {len(registry.models)} models, {len(registry.suites)} suites"
    yield Finding("plugins", "loaded", "ok", counts)
    for name, reason in registry.broken.items():
        yield Finding(
            "plugins",
            name,
            "broken",
            reason,
            "Correct the file, or update or uninstall the package that brings it.",
        )


def _data(registry: Registry) -> Iterator[Finding]:
    for entry in registry.tasks.values():
        try:
            fingerprint = entry.build(TaskOptions()).fingerprint()
        except EvalsuiteError as error:
            what = error.what.removeprefix(f"{entry.name}: ")
            yield Finding("data of tasks", entry.name, "missing", what, error.remedy)
        except BaseException as error:  # a plugin's bug must not hide the rest of the report
            if is_interruption(error):
                raise
            reason = reason_of(error)
            yield Finding(
                "data of tasks", entry.name, "broken", reason, "Report it to whoever wrote the task."
            )
        else:
            yield Finding("data of tasks", entry.name, "ok", f"fingerprint {fingerprint[:12]}")
