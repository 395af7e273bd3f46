"""Our DreamLLM against its authors' code, live: on the recorded tiny model, every value agrees, and the
original's are those that were recorded; a changed weight is found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from evalsuite.dreamllm import parity
from evalsuite.registry import load_registry
from tests.cli.program import here
from tests.dreamllm.recordings import OWN

pytestmark = pytest.mark.unified
MODEL = OWN / "model-a"


def home() -> Path:
    folder = Path(os.environ.get("EVALSUITE_UNIFIED", "/nowhere")) / "dreamllm"
    if not (folder / "clone" / "omni").is_dir() or not (folder / "env").is_dir():
        pytest.skip("set EVALSUITE_UNIFIED (tests/unified/README.md): dreamllm/clone and dreamllm/env")
    return folder


@pytest.fixture(scope="module")
def original() -> Iterator[parity.Original]:
    card = load_registry().models["dreamllm-original"].card
    assert card is not None
    made = parity.Original(Path(card.adapter), home() / "clone", str(home() / "env/bin/python"), MODEL)
    yield made
    made.stop()


def test_the_original_gives_what_was_recorded(original: parity.Original) -> None:
    sections = json.loads((OWN / "index-a.json").read_text())["sections"]
    recorded = load_file(OWN / "cases/a/prompt_embeds.safetensors")
    case = sections["prompt_embeds"]["single/A photo of a dog."]
    answer, tensor = original.measure("condition", "A photo of a dog.")
    assert answer["details"]["ids"] == case["input_ids"]
    want = recorded[case["tensors"]["embeds"]["key"]]
    assert tensor is not None
    assert float((tensor - want).abs().max()) <= 2e-5 * float(want.abs().max())
    pixels = load_file(OWN / "cases/a/images.safetensors")
    key = sections["images"]["landscape_rgb"]["tensors"]["pixel_values"]["key"]
    image = (OWN / "images/landscape_rgb.png").read_bytes()
    _, got = original.measure("pixels", "", image)
    assert got is not None
    assert np.allclose(got.reshape(-1), pixels[key].reshape(-1), atol=1e-6)


def test_every_comparison_agrees(original: parity.Original) -> None:
    images = {"landscape": (OWN / "images/landscape_rgb.png").read_bytes()}
    found = list(parity.compare(parity.Ours(MODEL), original, images))
    assert [one.item for one in found if not one.equal] == []
    kinds = {one.item.split()[0] for one in found}
    assert kinds == {"ids", "condition", "pixels", "embeddings", "prompt", "logits", "answer", "image"}


def test_a_changed_weight_is_found(original: parity.Original, tmp_path: Path) -> None:
    changed = tmp_path / "model"
    shutil.copytree(MODEL, changed)
    weights = load_file(changed / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj.weight"
    weights[name] = weights[name] * 1.01
    save_file(weights, changed / "model.safetensors", {"format": "pt"})
    found = parity.compare(parity.Ours(changed), original, {})
    verdicts = {one.item: one.equal for one in found}
    assert verdicts["ids of 'A photo of a dog.'"]
    assert not verdicts["condition of 'A photo of a dog.'"]
    assert not verdicts["logits 'Name a colour.' on text alone"]


def test_the_command_says_value_value_difference_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = home(), tmp_path / "parity.jsonl"
    done = here(capsys, "parity", "dreamllm", MODEL, "--original", folder / "clone", "--python",
                folder / "env", "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "0 differ" in done.stdout
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) > 20
    assert all(row["equal"] for row in rows)
    assert torch.tensor([row["difference"] or 0.0 for row in rows]).max() < 5e-4


def test_what_is_missing_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "parity", "dreamllm", MODEL, "--original", tmp_path, "--python", "python3")
    assert done.returncode == 2
    assert "no clone of DreamLLM's repository" in done.stderr
