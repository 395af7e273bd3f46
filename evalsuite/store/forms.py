"""How a model was asked: what of it is part of a number's protocol."""

from __future__ import annotations

from evalsuite.model import ModelInfo
from evalsuite.request import Capability
from evalsuite.store.results import KEPT

PLAIN = "plain"


def form_of(model: ModelInfo | None, capability: Capability, reasoning: str = "strip") -> str:
    """What the number of a task of this capability must be distinguished by; empty for the usual form.

    Likelihoods are usually those of the bare text, as published ones are; a chat template in front of it, or
    an answer's first token in place of the whole continuation, give others. Answers are usually asked for in
    the model's own template; another that the user named gives others.
    """
    details = model.details if model is not None else {}
    parts = []
    if capability == "choices":
        phrase = str(
            details.get("choices_prompt") or ("chat template, first token" if "server" in details else "")
        )
        parts = [phrase] if phrase not in ("", PLAIN) else []
    elif capability in ("text", "interleaved"):
        template = str(details.get("template", ""))
        if template == PLAIN:
            parts = ["plain text"]
        elif template.startswith("own"):
            parts = [f"{template.removeprefix('own ')} as chat template"]
    if reasoning == "keep" and capability in ("text", "interleaved"):
        parts.append(KEPT)
    return ", ".join(parts)
