"""A checkpoint whose weights were not all loaded is refused, with what is wrong and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from evalsuite.content import user
from evalsuite.errors import CheckpointError
from evalsuite.model.entry import ModelOptions
from evalsuite.model.loading import LoadReport, check_loaded
from evalsuite.registry import load_registry
from evalsuite.request import GenerateText, Request
from tests.baselines import pipelines, tiny
from tests.baselines.families import save

Weights = dict[str, torch.Tensor]
FILE = "model.safetensors"


@pytest.fixture(scope="module")
def tinies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tinies")
    for name, make in (("llava", tiny.llava), ("llama", tiny.llama), ("janus", tiny.janus)):
        save(make, root / name)
    torch.manual_seed(0)
    pipelines.PIPELINES["sd"]().save_pretrained(root / "sd")
    return {name: root / name for name in ("llava", "llama", "janus", "sd")}


ADAPTERS = {"transformers": "llava", "causal": "llama", "unified": "janus"}


def build(model: str, **options: str) -> Any:
    entry, argument = load_registry().model(model)
    return entry.build(ModelOptions(argument=argument, device="cpu", options=options))


def edited(source: Path, target: Path, change: Callable[[Weights], Weights], file: str = FILE) -> Path:
    shutil.copytree(source, target)
    path = target / file
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    return target


def some_weight(weights: Weights) -> str:
    return next(name for name in sorted(weights) if name.endswith("q_proj.weight"))


FAULTS: dict[str, tuple[Callable[[Weights], Weights], tuple[str, ...]]] = {
    "DDP": (lambda w: {f"module.{k}": v for k, v in w.items()}, ("'module.'", "DistributedDataParallel")),
    "compiled": (lambda w: {f"_orig_mod.{k}": v for k, v in w.items()}, ("'_orig_mod.'", "torch.compile")),
    "Lightning": (lambda w: {f"net.inner.{k}": v for k, v in w.items()}, ("'net.inner.'", "rename")),
    "PEFT": (lambda w: {f"base_model.model.{k}": v for k, v in w.items()}, ("'base_model.model.'", "PEFT")),
    "a tensor missing": (
        lambda w: {k: v for k, v in w.items() if k != some_weight(w)},
        ("1 missing", "q_proj.weight", "part of the model"),
    ),
    "a tensor renamed": (
        lambda w: {(k + "_old" if k == some_weight(w) else k): v for k, v in w.items()},
        ("1 missing", "1 unexpected", "q_proj.weight_old"),
    ),
    "half of it": (
        lambda w: dict(sorted(w.items())[: len(w) // 2]),
        ("missing", "part of the model"),
    ),
    "LoRA beside": (
        lambda w: {**w, "model.layers.0.lora_A.weight": torch.ones(2, 2)},
        ("1 unexpected", "lora_A"),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_checkpoint_that_does_not_fit_its_model_is_refused(
    adapter: Any, fault: Any, tinies: dict[str, Path], tmp_path: Path
) -> None:
    change, told = FAULTS[fault]
    folder = edited(tinies[ADAPTERS[adapter]], tmp_path / "made", change)
    with pytest.raises(CheckpointError) as caught:
        build(f"{adapter}:{folder}")
    for words in told:
        assert words in str(caught.value)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_tensor_of_another_shape_is_refused(adapter: Any, tinies: dict[str, Path], tmp_path: Path) -> None:
    folder = edited(
        tinies[ADAPTERS[adapter]],
        tmp_path / "made",
        lambda w: {k: (v[:-1].clone() if k == some_weight(w) else v) for k, v in w.items()},
    )
    with pytest.raises(CheckpointError):
        build(f"{adapter}:{folder}")


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_whole_checkpoints_load_and_their_fingerprint_is_the_same_twice(
    adapter: Any, tinies: dict[str, Path]
) -> None:
    name = f"{adapter}:{tinies[ADAPTERS[adapter]]}"
    assert build(name).info.fingerprint == build(name).info.fingerprint


def test_computed_buffers_may_be_there_or_not(tinies: dict[str, Path], tmp_path: Path) -> None:
    folder = edited(
        tinies["llama"],
        tmp_path / "made",
        lambda w: {**w, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)},
    )
    assert build(f"causal:{folder}").info.parameters


def test_who_wants_to_measure_it_nevertheless_has_it_on_record(
    tinies: dict[str, Path], tmp_path: Path
) -> None:
    folder = edited(tinies["llama"], tmp_path / "made", lambda w: {**w, "spare.weight": torch.ones(2)})
    model = build(f"causal:{folder}", weights_check="no")
    assert model.info.details["weights_check"] == "no"


def sharded(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    weights = load_file(target / FILE)
    (target / FILE).unlink()
    names = sorted(weights)
    parts = [names[: len(names) // 2], names[len(names) // 2 :]]
    index: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({k: weights[k] for k in part}, target / file, metadata={"format": "pt"})
        index |= dict.fromkeys(part, file)
    (target / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return target


@pytest.mark.parametrize("with_index", [True, False])
def test_a_missing_shard_is_named(with_index: bool, tinies: dict[str, Path], tmp_path: Path) -> None:
    folder = sharded(tinies["llama"], tmp_path / "made")
    assert build(f"causal:{folder}").info.parameters
    (folder / "model-00002-of-00002.safetensors").unlink()
    if not with_index:
        (folder / "model.safetensors.index.json").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors"):
        build(f"causal:{folder}")


def distcp(folder: Path) -> None:
    (folder / "pytorch_model_fsdp_0").mkdir(parents=True)
    (folder / "pytorch_model_fsdp_0" / "__0_0.distcp").touch()


def deepspeed(folder: Path) -> None:
    (folder / "global_step100").mkdir(parents=True)
    (folder / "zero_to_fp32.py").touch()


def trainer(folder: Path) -> None:
    for step in (50, 100):
        (folder / f"checkpoint-{step}").mkdir(parents=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "told"),
    [(distcp, "accelerate merge-weights"), (deepspeed, "zero_to_fp32.py"), (trainer, "checkpoint-100")],
)
@pytest.mark.parametrize("configured", [False, True])
@pytest.mark.parametrize("adapter", ["transformers", "causal", "unified", "diffusers"])
def test_folders_of_a_training_say_what_they_are(
    make: Any, told: str, configured: bool, adapter: str, tinies: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "training"
    make(folder)
    if configured and adapter != "diffusers":
        for file in tinies[ADAPTERS[adapter]].iterdir():
            if file.name != FILE:
                shutil.copy(file, folder)
    with pytest.raises(CheckpointError, match=told):
        build(f"{adapter}:{folder}")


COMPONENTS = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "text encoder": "text_encoder/model.safetensors",
}


@pytest.mark.slow
@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("fault", ["prefix", "missing", "renamed"])
def test_every_component_of_a_pipeline_is_checked(
    component: Any, fault: str, tinies: dict[str, Path], tmp_path: Path
) -> None:
    def change(weights: Weights) -> Weights:
        one = sorted(weights)[0]
        if fault == "prefix":
            return {f"_orig_mod.{k}": v for k, v in weights.items()}
        if fault == "missing":
            return {k: v for k, v in weights.items() if k != one}
        return {(k + "_old" if k == one else k): v for k, v in weights.items()}

    folder = edited(tinies["sd"], tmp_path / "made", change, COMPONENTS[component])
    with pytest.raises(CheckpointError) as caught:
        build(f"diffusers:{folder}")
    assert str(Path(COMPONENTS[component]).parent) in str(caught.value)
    assert "missing" in str(caught.value)


def test_a_tied_head_need_not_be_stored(tmp_path: Path) -> None:
    import transformers as hf

    def tied() -> tiny.Made:
        return hf.LlamaForCausalLM(hf.LlamaConfig(**tiny.TEXT, tie_word_embeddings=True)), tiny.tokenizer()

    save(tied, tmp_path / "tied")
    assert "lm_head.weight" not in load_file(tmp_path / "tied" / FILE)
    assert build(f"causal:{tmp_path / 'tied'}").info.parameters


# adapters of PEFT


@pytest.fixture(scope="module")
def lora(tinies: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    peft = pytest.importorskip("peft")
    import transformers as hf

    torch.manual_seed(1)
    base = hf.LlamaForCausalLM.from_pretrained(tinies["llama"])
    settings = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    folder = tmp_path_factory.mktemp("lora") / "tuned"
    peft.get_peft_model(base, settings).save_pretrained(folder)
    return folder


def logits(model: Any) -> Any:
    prompt = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        return model._model(prompt).logits


@pytest.mark.slow
def test_an_adapter_loads_with_its_base_and_is_in_the_fingerprint(
    lora: Path, tinies: dict[str, Path]
) -> None:
    import peft
    import transformers as hf

    base = build(f"causal:{tinies['llama']}")
    alone = build(f"causal:{lora}")
    named = build(f"causal:{tinies['llama']}", adapter=str(lora))
    assert alone.info.fingerprint == named.info.fingerprint != base.info.fingerprint
    assert alone.info.name == "tuned"
    assert alone.info.details["adapter"]["kind"] == "LORA"
    right = peft.PeftModel.from_pretrained(
        hf.LlamaForCausalLM.from_pretrained(tinies["llama"]), lora
    ).eval()  # fmt: skip
    with torch.inference_mode():
        wanted = right(torch.tensor([[5, 6, 7, 8]])).logits
    torch.testing.assert_close(logits(alone), wanted)
    assert not torch.allclose(logits(alone), logits(base))
    request = Request((user("what color is it"),), GenerateText(max_new_tokens=3))
    assert alone.generate_text([alone.prepare(request)])[0].tokens


@pytest.mark.slow
def test_an_adapter_beside_full_weights_is_never_passed_over(
    lora: Path, tinies: dict[str, Path], tmp_path: Path
) -> None:
    both = tmp_path / "both"
    shutil.copytree(tinies["llama"], both)
    for file in lora.glob("adapter_*"):
        shutil.copy(file, both)
    with pytest.raises(CheckpointError, match="to be used"):
        build(f"causal:{both}")
    base = build(f"causal:{tinies['llama']}").info.fingerprint
    assert build(f"causal:{both}", adapter="none").info.fingerprint == base
    assert (
        build(f"causal:{both}", adapter=str(both)).info.fingerprint
        == build(f"causal:{lora}").info.fingerprint
    )


def test_an_adapter_of_another_model_is_refused(lora: Path, tinies: dict[str, Path], tmp_path: Path) -> None:
    folder = edited(
        lora, tmp_path / "odd", lambda w: {k.replace("q_proj", "x_proj"): v for k, v in w.items()},
        "adapter_model.safetensors",
    )  # fmt: skip
    with pytest.raises(CheckpointError, match="adapter"):
        build(f"causal:{folder}")
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**settings, "base_model_name_or_path": ""}))
    with pytest.raises(CheckpointError, match="names no base model"):
        build(f"causal:{folder}")
    with pytest.raises(CheckpointError, match="no adapter"):
        build(f"causal:{tinies['llama']}", adapter=str(tmp_path))


@pytest.mark.slow
def test_lora_weights_of_a_pipeline(tinies: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("peft")
    import diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(tinies["sd"])
    pipeline.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False))
    diffusers.StableDiffusionPipeline.save_lora_weights(
        tmp_path / "lora", unet_lora_layers=get_peft_model_state_dict(pipeline.unet)
    )
    base = build(f"diffusers:{tinies['sd']}").info.fingerprint
    assert build(f"diffusers:{tinies['sd']}", adapter=str(tmp_path / "lora")).info.fingerprint != base
    with pytest.raises(CheckpointError, match="Name the base"):
        build(f"diffusers:{tmp_path / 'lora'}")
    both = tmp_path / "both"
    shutil.copytree(tinies["sd"], both)
    shutil.copy(tmp_path / "lora" / "pytorch_lora_weights.safetensors", both)
    with pytest.raises(CheckpointError, match="to be used"):
        build(f"diffusers:{both}")
    assert build(f"diffusers:{both}", adapter="none").info.fingerprint == base


def test_the_message_quotes_few_names_and_counts_the_rest() -> None:
    report = LoadReport(missing=tuple(f"layer.{i}.weight" for i in range(1200)))
    with pytest.raises(CheckpointError) as caught:
        check_loaded("here", report)
    assert "1200 missing (layer.0.weight, layer.1.weight, layer.2.weight and 1,197 more)" in str(caught.value)


@pytest.mark.parametrize("source", ["/no/such/folder", "./checkpoints/step/1000"])
@pytest.mark.parametrize("adapter", list(ADAPTERS))
def test_a_path_that_is_not_there_is_no_name_on_the_hub(adapter: str, source: str) -> None:
    entry, argument = load_registry().model(f"{adapter}:{source}")
    with pytest.raises(CheckpointError, match="is not a folder"):
        entry.build(ModelOptions(argument=argument, device="cpu"))
