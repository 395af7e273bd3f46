"""`dreamllm inspect` and `dreamllm convert`: what is told and written is what loads."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from evalsuite.dreamllm.conversion import convert, dtype_named
from evalsuite.dreamllm.inspection import inspect
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.processing import DreamLLMProcessor
from evalsuite.dreamllm.tokenization import load_tokenizer
from evalsuite.dreamllm.weights import linear_attention, open_folder
from evalsuite.errors import CheckpointError
from tests.cli.program import here
from tests.dreamllm.recordings import TINY

MINI = Path(__file__).parents[2] / "baselines" / "mini" / "checkpoints" / "dreamllm"
MINI_IDS = load_tokenizer(MINI).vocabulary


def mini_copy(folder: Path) -> Path:
    """The miniature's checkpoint, to be changed, beside the parts that it refers to."""
    for part in ("clip", "sd"):
        (folder / part).symlink_to(MINI.parent / part)
    return Path(shutil.copytree(MINI, folder / "ours"))


def same(first: DreamLLMForCausalLM, second: DreamLLMForCausalLM) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


# -- convert -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_there_and_back_every_bit_and_setting_is_kept(tmp_path: Path) -> None:
    convert(TINY.checkpoint, tmp_path / "ours", max_shard_size="60KB")
    convert(tmp_path / "ours", tmp_path / "theirs", to="upstream")
    assert len(list((tmp_path / "ours").glob("model-*.safetensors"))) > 1
    assert (tmp_path / "theirs" / "stable_diffusion_head.bin").is_file()
    for name in ("ours", "theirs"):
        loaded = DreamLLMForCausalLM.from_pretrained(tmp_path / name)
        assert same(loaded, TINY.model)
        before, after = TINY.model.config.to_dict(), loaded.config.to_dict()
        assert {k for k, v in before.items() if after[k] != v} <= {"architectures"}
        processor = DreamLLMProcessor.from_pretrained(tmp_path / name)
        assert processor.encode(" A cat.") == TINY.processor.encode(" A cat.")
        assert processor.images == TINY.processor.images


def test_keys_written_for_upstream_are_upstream_s(tmp_path: Path) -> None:
    convert(TINY.checkpoint, tmp_path / "theirs", to="upstream")
    for name in ("clip_vision_embedding", "dream_embedding", "stable_diffusion_head"):
        theirs, ours = (
            torch.load(folder / f"{name}.bin", weights_only=True)
            for folder in (TINY.checkpoint, tmp_path / "theirs")
        )
        assert {key for key in theirs if not key.endswith("position_ids")} == set(ours)


@pytest.mark.slow
def test_a_scaled_rotary_embedding_is_written_as_upstream_reads_it(upstream: Path, tmp_path: Path) -> None:
    """Its configuration class refuses anything but exactly these two fields."""
    config = json.loads((upstream / "config.json").read_text())
    config |= {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_theta": 5000.0}
    (upstream / "config.json").write_text(json.dumps(config))
    convert(upstream, tmp_path / "ours")
    convert(tmp_path / "ours", tmp_path / "theirs", to="upstream")
    written = json.loads((tmp_path / "theirs" / "config.json").read_text())
    assert (written["rope_scaling"], written["rope_theta"]) == ({"type": "linear", "factor": 2.0}, 5000.0)
    ids = torch.tensor([[1, 300, 301, 302]])
    answers = [
        DreamLLMForCausalLM.from_pretrained(folder)(ids).logits for folder in (upstream, tmp_path / "theirs")
    ]
    assert torch.equal(*answers)
    assert not torch.allclose(answers[0], TINY.model(ids).logits)


def test_a_written_tokenizer_says_which_tokens_are_special(tmp_path: Path) -> None:
    """Otherwise transformers' own class prints the structure as text and cannot pad."""
    convert(TINY.checkpoint, tmp_path / "ours")
    original, written = (
        json.loads((folder / "tokenizer_config.json").read_text())
        for folder in (TINY.checkpoint, tmp_path / "ours")
    )
    assert {"pad_token", "additional_special_tokens", "added_tokens_decoder"} <= written.keys()
    assert {key: original[key] for key in written} == written


def test_the_manifest_tells_each_tensor_s_place_values_and_origin(tmp_path: Path) -> None:
    convert(TINY.checkpoint, tmp_path / "ours", dtype=torch.bfloat16, max_shard_size="60KB")
    manifest = json.loads((tmp_path / "ours" / "manifest.json").read_text())
    entries = {entry["name"]: entry for entry in manifest["tensors"]}
    assert manifest["parameters"] == sum(p.numel() for p in TINY.model.parameters())
    assert entries.keys() == open_folder(tmp_path / "ours").keys()
    queries = entries["dream_queries"]
    assert (queries["source_file"], queries["source_key"]) == ("dream_embedding.bin", "dream_queries")
    assert (queries["shape"], queries["dtype"], queries["source_dtype"]) == (
        [1, 8, 64],
        "bfloat16",
        "float32",
    )
    for entry in entries.values():
        with safe_open(tmp_path / "ours" / entry["file"], framework="pt") as file:
            value = file.get_tensor(entry["key"])
        assert hashlib.sha256(value.view(torch.uint8).numpy().tobytes()).hexdigest() == entry["sha256"]
    assert all("inv_freq" in name or "position_ids" in name for name in manifest["left_out"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bf16", "fp16", "fp32"])
def test_precisions_round_once(tmp_path: Path, dtype: str) -> None:
    kind = dtype_named(dtype)
    assert kind is not None
    convert(TINY.checkpoint, tmp_path / "ours", dtype=kind)
    stored = open_folder(tmp_path / "ours")
    assert {str(kind).removeprefix("torch.")} == {tensor.dtype for tensor in stored.values()}
    assert torch.equal(stored["dream_queries"].read(), TINY.model.dream_queries.to(kind))


def test_no_more_than_one_file_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors are read when their file is written, file by file."""
    import safetensors.torch

    held: list[int] = []
    save = safetensors.torch.save_file

    def spy(tensors: Any, *rest: Any, **options: Any) -> None:
        held.append(sum(value.nbytes for value in tensors.values()))
        save(tensors, *rest, **options)

    monkeypatch.setattr(safetensors.torch, "save_file", spy)
    convert(TINY.checkpoint, tmp_path / "ours", max_shard_size="200KB")
    assert len(held) > 3
    assert max(held) <= 200_000


@pytest.mark.slow
def test_parts_that_lie_outside_are_written_in(tmp_path: Path) -> None:
    links = {}
    for part in ("vision", "unet", "vae"):
        getattr(TINY.model, part).save_pretrained(tmp_path / part)
        links[part] = f"../{part}"
    TINY.model.save_pretrained(tmp_path / "family", reference=links)
    TINY.processor.save_pretrained(tmp_path / "family")
    manifest = convert(tmp_path / "family", tmp_path / "alone")
    assert not (tmp_path / "alone" / "references.json").exists()
    assert any(entry.source_file.startswith("../unet/") for entry in manifest.tensors)
    for part in links:
        shutil.rmtree(tmp_path / part)
    assert same(DreamLLMForCausalLM.from_pretrained(tmp_path / "alone"), TINY.model)


def test_an_incomplete_source_leaves_nothing_behind(upstream: Path, tmp_path: Path) -> None:
    (upstream / "stable_diffusion_head.bin").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="stable_diffusion_head"):
        convert(upstream, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]


def test_an_existing_target_is_not_touched(upstream: Path) -> None:
    with pytest.raises(CheckpointError, match="exists already"):
        convert(TINY.checkpoint, upstream)


def test_old_attention_layers_of_the_vae_become_linear(upstream: Path) -> None:
    path = upstream / "stable_diffusion_head.bin"
    head = torch.load(path, weights_only=True)
    new = "vae.encoder.mid_block.attentions.0.to_q.weight"
    head["vae.encoder.mid_block.attentions.0.query.weight"] = head.pop(new)[:, :, None, None]
    torch.save(head, path)
    assert same(DreamLLMForCausalLM.from_pretrained(upstream), TINY.model)
    stored = open_folder(TINY.checkpoint)["model.embed_tokens.weight"]
    assert linear_attention("model.embed_tokens.weight", stored) is stored


# -- inspect -----------------------------------------------------------------------------------------------


def test_inspection_counts_what_the_loaded_model_has(upstream: Path) -> None:
    found = inspect(upstream)
    assert found.loads
    assert found.layout == "upstream"
    assert found.parameters == sum(parameter.numel() for parameter in TINY.model.parameters())
    unet = next(part for part in found.parts if part.name == "unet")
    assert unet.parameters == sum(parameter.numel() for parameter in TINY.model.unet.parameters())
    assert unet.files == ["stable_diffusion_head.bin"]
    assert found.ids["<dream_start>"] == TINY.processor.tokens.dream_start
    assert any("sd-tiny/unet" in line and "not read" in line for line in found.warnings)


def test_inspection_warns_of_ids_that_other_files_claim(upstream: Path) -> None:
    config = json.loads((upstream / "config.json").read_text())
    config.update(bos_token_id=0, eos_token_id=1, pad_token_id=-1)
    config["special_tokens2ids_dict"]["additional_special_tokens"]["<im_end>"] = 99
    (upstream / "config.json").write_text(json.dumps(config))
    warnings = "\n".join(inspect(upstream).warnings)
    assert "config.json says eos_token_id 1; 2 is used" in warnings
    assert "config.json says pad_token_id -1; 512 is used" in warnings
    assert "<im_end> is 99" in warnings


def test_inspection_names_every_missing_file(upstream: Path) -> None:
    for name in ("dream_embedding.bin", "clip_vision_embedding.bin", "tokenizer.model"):
        (upstream / name).unlink()
    problems = "\n".join(inspect(upstream).problems)
    assert problems.count("does not exist") == 2
    assert "dream_embedding.bin does not exist" in problems
    assert "no tokenizer" in problems


def test_inspection_reads_no_weights(upstream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalsuite.dreamllm import weights

    def refuse(self: Any = None) -> torch.Tensor:
        raise AssertionError("a weight was read")

    original = weights.StoredTensor.__init__
    monkeypatch.setattr(
        weights.StoredTensor,
        "__init__",
        lambda self, file, key, shape, dtype, read: original(self, file, key, shape, dtype, refuse),
    )
    assert inspect(upstream).loads


def test_a_tokenizer_of_another_vocabulary_is_refused(upstream: Path) -> None:
    added = json.loads((upstream / "added_tokens.json").read_text())
    added["<dream_end>"] = 32002
    (upstream / "added_tokens.json").write_text(json.dumps(added))
    with pytest.raises(CheckpointError, match="up to id 32002, but the language model has 520 embeddings"):
        DreamLLMForCausalLM.from_pretrained(upstream)
    assert not inspect(upstream).loads


def test_a_tokenizer_whose_structure_has_other_ids_than_the_configuration_is_refused(tmp_path: Path) -> None:
    ours = mini_copy(tmp_path)
    tokenizer = json.loads((ours / "tokenizer.json").read_text())
    marks = {token["content"]: token for token in tokenizer["added_tokens"]}
    vocabulary = tokenizer["model"]["vocab"]
    for one, other in (("<im_start>", "<im_end>"), ("<im_end>", "<im_start>")):
        marks[one]["id"] = MINI_IDS[other]
        vocabulary[MINI_IDS[other]][0] = one
    tokenizer["added_tokens"].sort(key=lambda token: token["id"])
    (ours / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match=r"<im_start> is \d+ in its tokenizer, but \d+ in config.json"):
        DreamLLMForCausalLM.from_pretrained(ours)


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(tmp_path: Path) -> None:
    ours = mini_copy(tmp_path)
    tokenizer = json.loads((ours / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] += [[f"zebra{number}", -9.0] for number in range(100)]
    (ours / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match=r"622 tokens, but the language model has \d+ embeddings"):
        DreamLLMForCausalLM.from_pretrained(ours)


def test_missing_and_wrong_dream_queries_are_refused(upstream: Path) -> None:
    torch.save({}, upstream / "dream_embedding.bin")
    with pytest.raises(CheckpointError, match="no dream_queries"):
        DreamLLMForCausalLM.from_pretrained(upstream)
    torch.save({"dream_queries": torch.zeros(1, 5, 64)}, upstream / "dream_embedding.bin")
    with pytest.raises(CheckpointError, match=r"\(1, 5, 64\), config.json says 8"):
        DreamLLMForCausalLM.from_pretrained(upstream)


# -- commands ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_commands_show_and_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "dreamllm", "convert", TINY.checkpoint, tmp_path / "new", "--dtype", "bf16")
    assert done.returncode == 0, done.stderr
    shown = here(capsys, "dreamllm", "inspect", tmp_path / "new")
    assert shown.returncode == 0
    assert "dream_queries" in shown.stdout
    assert "bfloat16" in shown.stdout
    assert "<dream_start> 515" in shown.stdout
    values = json.loads(here(capsys, "dreamllm", "inspect", tmp_path / "new", "--json").stdout)
    assert values["loads"] is True
    assert values["parameters"] == sum(parameter.numel() for parameter in TINY.model.parameters())
    (tmp_path / "new" / "model.safetensors").unlink()
    broken = here(capsys, "dreamllm", "inspect", tmp_path / "new")
    assert broken.returncode == 1
    assert "does not load" in broken.stdout
    again = here(capsys, "dreamllm", "convert", tmp_path / "new", tmp_path / "other", "--to", "theirs")
    assert again.returncode == 2
    assert "no layout 'theirs'" in again.stderr


def test_a_shard_size_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "dreamllm", "convert", MINI, tmp_path / "new", "--shard-size", "2XB")
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "'2XB' is not a size of a file" in done.stderr
