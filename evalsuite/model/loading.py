"""Were a checkpoint's weights really loaded? What `from_pretrained` only warns of is refused here.

A tensor that a file does not hold under the name that the model expects is initialised at random, and the
model is measured all the same. `check_loaded` reads the report of the loader and refuses; `fault_of_folder`
says what a folder is that holds no loadable checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError

if TYPE_CHECKING:
    import torch

SHOWN = 3
"""Names of tensors that a message quotes of each kind."""

HARMLESS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(^|\.)rotary_emb\.inv_freq$",  # computed from the configuration
        r"(^|\.)rotary_pos_emb\.inv_freq$",
        r"(^|\.)position_ids$",
        r"(^|\.)num_batches_tracked$",
        r"(^|\.)relative_position_index$",
        r"(^|\.)attn\.(masked_)?bias$",  # the causal mask of GPT-2's family, once stored as a buffer
        r"(^|\.)attention\.(masked_)?bias$",
        r"(^|\.)embed_positions\._float_tensor$",
    )
)
"""Names that a checkpoint may hold or lack: buffers that are computed."""

PREFIXES: Mapping[str, str] = {
    "module.": "torch's DataParallel or DistributedDataParallel",
    "_orig_mod.": "torch.compile",
    "_fsdp_wrapped_module.": "FSDP",
    "_checkpoint_wrapped_module.": "activation checkpointing",
    "base_model.model.": "PEFT",
    "model.": "a wrapper, such as a Lightning module",
    "ema_model.": "a wrapper that averages weights",
    "student.": "a distillation wrapper",
}
"""What puts a word in front of every tensor's name."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a loader says of a checkpoint.

    Args:
        missing: names that the model has and the files do not.
        unexpected: names that the files have and the model does not.
        mismatched: one line per tensor of another shape.
        faults: what else went wrong, one line each.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    faults: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> LoadReport:
        """From the dictionary that `from_pretrained(..., output_loading_info=True)` of transformers and
        diffusers gives beside the model."""
        mismatched = [
            f"{one[0]} is {tuple(one[1])}, not {tuple(one[2])}" if len(one) > 2 else str(one[0])
            for one in info.get("mismatched_keys") or ()
            if not isinstance(one, str)
        ]
        return cls(
            tuple(sorted(info.get("missing_keys") or ())),
            tuple(sorted(info.get("unexpected_keys") or ())),
            tuple(sorted(mismatched)),
            tuple(" ".join(str(one).split())[:200] for one in info.get("error_msgs") or ()),
        )

    @property
    def harmful(self) -> LoadReport:
        """The report without names that may be there or not."""
        return LoadReport(
            tuple(name for name in self.missing if not is_harmless(name)),
            tuple(name for name in self.unexpected if not is_harmless(name)),
            self.mismatched,
            self.faults,
        )

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.mismatched or self.faults)


def is_harmless(name: str) -> bool:
    """Whether a tensor is computed from the configuration, so that files may hold or lack it.

    >>> is_harmless("model.layers.0.self_attn.rotary_emb.inv_freq"), is_harmless("lm_head.weight")
    (True, False)
    """
    return any(pattern.search(name) for pattern in HARMLESS)


def check_loaded(source: str, report: LoadReport, *, override: str = "--option weights_check=no") -> None:
    """Raises CheckpointError unless every tensor of the model came from the checkpoint, and every tensor of
    the checkpoint went into the model.

    Args:
        source: the checkpoint (and component), for the message.
        override: how the user measures it nevertheless; empty where that is impossible.
    """
    found = report.harmful
    if not found:
        return
    parts = [
        f"{len(names)} {kind} ({_some(names)})"
        for kind, names in (
            ("missing", found.missing),
            ("unexpected", found.unexpected),
            ("of another shape", found.mismatched),
        )
        if names
    ]
    parts += list(found.faults[:1])
    cause, remedy = likely_cause(found)
    told = f" {cause}" if cause else ""
    more = f" {override} measures it as it is, on record." if override else ""
    raise CheckpointError(
        f"{source}: its weights are not those of the model that its configuration describes: tensors "
        f"{'; '.join(parts)}.{told}",
        f"{remedy}{more}",
    )


def likely_cause(report: LoadReport) -> tuple[str, str]:
    """Why names differ, and what to do: one sentence each; the first is empty where nothing is likely."""
    added, lost = _renaming(report.unexpected, report.missing)
    if added:
        origin = next((told for prefix, told in PREFIXES.items() if added.startswith(prefix)), "a wrapper")
        return (
            f"The names in the file begin with {added!r}, which {origin} puts there.",
            "Save the inner model, or rename the tensors: "
            f"save_file({{k.removeprefix({added!r}): v for k, v in load_file(F).items()}}, F, "
            "metadata={'format': 'pt'}) with safetensors.torch.",
        )
    if lost:
        return (
            f"The names in the file lack {lost!r} in front.",
            "Save the whole model, or rename the tensors: "
            f"save_file({{{lost!r} + k: v for k, v in load_file(F).items()}}, F, "
            "metadata={'format': 'pt'}) with safetensors.torch.",
        )
    if any(".lora_" in name or name.startswith("base_model.model.") for name in report.unexpected):
        return (
            "There are LoRA weights among them.",
            "Load the base model with --option adapter=FOLDER, or merge the adapter (merge_and_unload).",
        )
    if report.mismatched:
        return "", "Do the files and config.json belong together?"
    if report.missing and not report.unexpected:
        return (
            "The checkpoint holds a part of the model only, or was saved while it was being written.",
            "Fetch or save it again, whole.",
        )
    if report.unexpected and not report.missing:
        return (
            "The checkpoint holds more than the model that config.json describes.",
            "Is config.json another model's?",
        )
    return "", "Do the files and config.json belong together? Was a tensor renamed?"


def _renaming(unexpected: Collection[str], missing: Collection[str]) -> tuple[str, str]:
    """What stands in front of most unexpected names, and what most of them lack in front; "" for nothing."""
    if not unexpected or not missing:
        return "", ""
    common = next(iter(_beginnings(unexpected)), "")
    known = next((p for p in PREFIXES if p != "model." and common.startswith(p)), "")
    if known:
        return known, ""
    wanted = set(missing)
    for prefix in _beginnings(unexpected):
        if _share(name[len(prefix) :] in wanted for name in unexpected) >= 0.5:
            return prefix, ""
    found = set(unexpected)
    for prefix in _beginnings(missing):
        if _share(name[len(prefix) :] in found for name in missing) >= 0.5:
            return "", prefix
    # Loaders that translate names of older versions report the model's names, which then differ in front.
    if 2 * len(unexpected) >= len(missing):
        tails = {_tail(name) for name in missing}
        if _share(_tail(name) in tails for name in unexpected) >= 0.5:
            return common, ""
    return "", ""


def _tail(name: str) -> str:
    return ".".join(name.split(".")[-3:])


def _beginnings(names: Iterable[str]) -> list[str]:
    """What all names begin with, up to each point, the longest first."""
    first, *rest = sorted(names)
    last = rest[-1] if rest else first
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(last))
    return [first[: i + 1] for i in reversed(range(length)) if first[i] == "."]


def _share(values: Iterable[bool]) -> float:
    known = list(values)
    return sum(known) / len(known)


def _some(names: Collection[str]) -> str:
    shown = list(names)[:SHOWN]
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(shown) + more


def compare_with_files(module: torch.nn.Module, stored: Mapping[str, tuple[int, ...]]) -> LoadReport:
    """What a loaded module and its files do not share, by name and shape; tensors that share memory (tied
    heads) need to be stored once.

    Args:
        stored: name -> shape of every tensor in the files.
    """
    state = module.state_dict()
    groups: dict[int, list[str]] = {}
    for name, tensor in state.items():
        if not tensor.is_meta:
            groups.setdefault(tensor.data_ptr(), []).append(name)
    tied = {name for names in groups.values() if any(n in stored for n in names) for name in names}
    return LoadReport(
        missing=tuple(sorted(name for name in state if name not in stored and name not in tied)),
        unexpected=tuple(sorted(name for name in stored if name not in state)),
        mismatched=tuple(
            f"{name} is {stored[name]}, not {tuple(tensor.shape)}"
            for name, tensor in sorted(state.items())
            if name in stored and tuple(tensor.shape) != stored[name]
        ),
    )
