"""Quick figures on validation scenes while DreamLLM trains: answers by topic, drawings and edits by the
detector."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...dreamllm.conversation import VICUNA
from ...dreamllm.embedding import gather
from ...dreamllm.modeling import DreamLLMForCausalLM
from ...dreamllm.training import IGNORED
from ..detect import detect
from ..language import caption
from .data import scene_from_json
from .diffusion import decode, figures, sample_latents
from .documents import SHORT, CachedImage, Document, Drawing, pack
from .language import DESCRIBE, ROW
from .precision import inference

if TYPE_CHECKING:
    from .dream import Batches


def answers_right(
    batches: "Batches", model: DreamLLMForCausalLM, documents: list[Document]
) -> list[list[bool]]:
    """For every branch of every document whether each learnt token is the model's first choice given those
    before."""
    found: list[list[bool]] = []
    for start in range(0, len(documents), 8):
        part = documents[start : start + 8]
        for document in part:
            packed = pack([document], ROW, batches.writer.tokens.pad)
            tensors = batches.tensors(packed)
            labels = tensors.pop("labels")
            with inference():
                output = model(**{k: v for k, v in tensors.items() if k not in ("latents", "caption_ids")})
            wrong = (output.logits[:, :-1].argmax(-1) != labels[:, 1:]) & (labels[:, 1:] != IGNORED)
            at = len(document.prefix)
            rights = []
            for ids, _ in document.branches:
                # The first token of a branch is never learnt, so a branch's targets are within it.
                rights.append(not bool(wrong[0, at : at + len(ids) - 1].any()))
                at += len(ids)
            found.append(rights)
    return found


def conditions(batches: "Batches", model: DreamLLMForCausalLM, documents: list[Document]) -> torch.Tensor:
    """Projected states at the dream queries of all documents, in order: (n, Q, context)."""
    found = []
    for document in documents:
        packed = pack([document], ROW, batches.writer.tokens.pad)
        tensors = {
            "input_ids": packed.input_ids,
            "attention_mask": packed.attention_mask,
            "position_ids": packed.position_ids,
        }
        if packed.read:
            features = np.stack([batches.features[p.cache][p.row] for p in packed.read]).astype(np.float32)
            tensors["image_features"] = torch.from_numpy(features)
        with inference():
            states = model(**tensors).last_hidden_state
            rows, columns = model.dream_blocks(packed.input_ids)
            condition = model.condition_projector(
                gather(states, rows, columns, model.config.num_dream_queries)
            )
        found.append(condition.float())
    return torch.cat(found)


def make_check(
    batches: "Batches", model: DreamLLMForCausalLM, kind: str, work: Path, scenes: int = 32
) -> Callable[[], dict[str, float]]:
    """The figures of one kind of model; names begin with "ask", "easy", "draw", "edit"."""
    rng = np.random.default_rng(0)
    valid = batches.images["valid"]
    asked = [int(i) for things in (1, 2) for i in valid.of_size(things)[:scenes]]
    nowhere = CachedImage("valid", 0)
    chats = [batches.chat("valid", row, rng, SHORT if row % 2 else VICUNA) for row in asked]
    captions = [_either_order(batches, row) for row in asked]
    seen = np.array([not scene_from_json(valid.entries[row].scene or {}).held_out for row in asked])
    draws = [batches.writer.draw(valid.entries[row].caption, Drawing(nowhere, "")) for row in asked]
    edits = batches.valid_edits[:scenes]
    targets = np.load(work / "data" / "valid-edit-targets.npy", mmap_mode="r")

    from .dream import LETTERS

    def check() -> dict[str, float]:
        found: dict[str, float] = {}
        if kind != "creation":
            rights = answers_right(batches, model, chats)
            found["ask_open"] = float(np.mean([r for row in rights for r in row[: -LETTERS - 1]]))
            found["ask_letters"] = float(np.mean([r for row in rights for r in row[-LETTERS - 1 : -1]]))
            described = [any(row) for row in answers_right(batches, model, captions)]
            found["ask_describe"] = float(np.mean(described))
            found["ask_describe_seen"] = float(np.mean(np.array(described)[seen]))
        if kind != "comprehension":
            empty = conditions(batches, model, [batches.writer.draw("", Drawing(nowhere, ""))])
            context = conditions(batches, model, draws)
            drawn = sample_latents(model.unet, context, empty, guidance=3.0, steps=20, seed=0)
            found |= {f"draw_{k}": v for k, v in figures(decode(model.vae, drawn), valid, asked).items()}
            docs = [
                batches.writer.edit(
                    CachedImage("valid-edit-sources", e.source), [(e.turns[0][0], Drawing(nowhere, ""))]
                )
                for e in edits
            ]
            drawn = sample_latents(
                model.unet, conditions(batches, model, docs), empty, guidance=3.0, steps=20, seed=1
            )
            alike = [
                _alike(image, targets[e.turns[0][2]])
                for image, e in zip(decode(model.vae, drawn), edits, strict=True)
            ]
            found["edit_right"] = float(np.mean(alike))
        return found

    return check


def _either_order(batches: "Batches", row: int) -> Document:
    """The canonical captions of a validation scene in both orders, as two answers to the same request.

    Greedy decoding gives a caption exactly when each of its words is the first choice after those before, so
    the scene is described right when one of the two answers is learnt in full.
    """
    scene = scene_from_json(batches.images["valid"].entries[row].scene or {})
    texts = dict.fromkeys(
        caption(replace(scene, things=things)) for things in (scene.things, scene.things[::-1])
    )
    template = SHORT if row % 2 else VICUNA
    return batches.writer.chat(CachedImage("valid", row), "", [(DESCRIBE, text) for text in texts], template)


def _alike(image: np.ndarray, target: np.ndarray) -> bool:
    """Whether two images show things of the same colours, shapes, sizes, each within 8 pixels of its
    place."""
    seen, meant = detect(image), detect(np.asarray(target))
    if len(seen) != len(meant):
        return False
    left = list(seen)
    for thing in meant:
        match = next(
            (
                s for s in left
                if (s.colour, s.shape, s.size) == (thing.colour, thing.shape, thing.size)
                and np.hypot(s.x - thing.x, s.y - thing.y) <= 8
            ),
            None,
        )  # fmt: skip
        if match is None:
            return False
        left.remove(match)
    return True


__all__ = ["answers_right", "conditions", "make_check", "scene_from_json"]
