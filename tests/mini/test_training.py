"""Training from a recipe: every stage learns, a killed training goes on, mistakes in recipes are named."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from evalsuite.errors import EvalsuiteError

pytest.importorskip("torch")
pytest.importorskip("diffusers")

STEPS = 20


def _schedule(batch: int, lr: float, **more: object) -> dict[str, object]:
    return {"steps": STEPS, "batch": batch, "lr": lr, "warmup": 2, "save_every": 5, "log_every": 1, **more}


def _toy() -> dict[str, object]:
    stage = {"lm_weight": 1, "vm_weight": 0.1, "align_weight": 1, "drop_prompt": 0.1, "check_every": 1000}
    return {
        "name": "toy",
        "seed": 0,
        "data": {"ones": 24, "twos": 24, "threes": 8, "validation": 8, "edits": 6, "stories": 4,
                 "easy_vqa": False, "seed": 1},
        "vae": {"channels": [4, 4, 8, 8], "latent_channels": 4, "groups": 4, "layers": 1, "kl": 1e-6,
                "schedule": _schedule(4, 5e-3)},
        "clip": {"width": 32, "layers": 2, "text_layers": 1, "heads": 2, "mlp": 64, "patch": 16,
        "projection": 16,
                 "words": 4.0, "easy_share": 0.0, "hard_pairs": True, "schedule": _schedule(8, 3e-3)},
        "diffusion": {"channels": [16, 16], "layers": 1, "transformer_layers": 1, "head_dim": 2, "groups": 8,
                      "context": 32, "text_layers": 1, "text_heads": 2, "text_mlp": 64, "max_length": 20,
                      "drop_caption": 0.1, "canonical": 0.5, "snr_gamma": 5.0, "blind": 0.25,
                      "latents": [24, 24, 8], "shares": [0.4, 0.5, 0.1], "check_every": 1000,
                      "check_scenes": 2, "schedule": _schedule(8, 5e-3)},
        "language": {"hidden": 32, "layers": 1, "heads": 2, "mlp": 64, "positions": 512, "drills": 0.4,
                     "lists": 0.2, "lettered": 2, "schedule": _schedule(4, 1e-2)},
        "dream": {"joint": {"queries": 20, "stages": [
            {"stage": 1, "rows": {"pair": 2, "draw": 4}, **stage, "schedule": _schedule(6, 1e-2)},
            {"stage": 2, "rows": {"pair": 1, "scan": 1, "draw": 2, "story": 2}, **stage,
             "schedule": _schedule(6, 1e-2)},
            {"stage": 3, "rows": {"chat": 1, "drill": 1, "list": 1, "choice": 1, "text-choice": 1, "edit": 2,
                                  "draw": 2}, **stage, "schedule": _schedule(9, 1e-2)},
        ]}},
    }  # fmt: skip


def _write(folder: Path, recipe: dict[str, object]) -> Path:
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder in which the whole toy recipe has been trained."""
    from evalsuite.mini.training.run import train

    work = tmp_path_factory.mktemp("training")
    train(_write(work, _toy()), work)
    return work


RECORDS = [
    "vae/training.json", "clip/training.json", "diffusion/training.json", "language/training.json",
    "dream/joint/stage-1.json", "dream/joint/stage-2.json", "dream/joint/stage-3.json",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("record", RECORDS)
def test_twenty_steps_of_every_stage_lower_the_loss(trained: Path, record: str) -> None:
    found = json.loads((trained / record).read_text())
    losses = [loss for _, loss in found["curve"]]
    assert found["steps"] == STEPS
    assert sum(losses[-6:]) < sum(losses[:6])


def test_stage_one_trains_the_bridges_and_nothing_else(trained: Path) -> None:
    from safetensors.torch import load_file
    from transformers import LlamaForCausalLM

    learnt = load_file(trained / "dream" / "joint" / "stage-1.safetensors")
    before = LlamaForCausalLM.from_pretrained(trained / "parts" / "lm").state_dict()
    same = [bool((learnt[name] == value).all()) for name, value in before.items()]
    assert same
    assert all(same)
    later = load_file(trained / "dream" / "joint" / "stage-2.safetensors")
    for name in ("dream_queries", "vision_projector.weight", "condition_projector.weight"):
        assert bool((later[name] != learnt[name]).any())
    assert bool((later["model.embed_tokens.weight"] != before["model.embed_tokens.weight"]).any())


def test_shipped_folders_load_as_their_libraries_load_them(trained: Path) -> None:
    import torch
    from diffusers import DiffusionPipeline

    from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
    from evalsuite.dreamllm.processing import DreamLLMProcessor

    ship = trained / "ship"
    pipeline = DiffusionPipeline.from_pretrained(ship / "sd", torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    (image,) = pipeline("a small red circle", num_inference_steps=2, height=64, width=64).images
    assert image.size == (64, 64)
    model = DreamLLMForCausalLM.from_pretrained(ship / "dreamllm")
    processor = DreamLLMProcessor.from_pretrained(ship / "dreamllm")
    assert (ship / "dreamllm-stage1" / "config.json").exists()
    assert processor.num_dream_queries == model.config.num_dream_queries == 20
    ids = processor.encode("what color is the circle?")
    assert processor.decode(ids) == "what color is the circle?"


@pytest.mark.slow
def test_a_killed_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    recipe = _toy()
    recipe["language"]["schedule"]["steps"] = 60  # type: ignore[index]
    path = _write(tmp_path, recipe)
    program = (
        "import sys, pathlib; from evalsuite.mini.training.run import train; "
        "train(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), stages=['data', 'language'])"
    )
    command = [sys.executable, "-c", program, str(path), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = tmp_path / "language"
    deadline = time.monotonic() + 120
    while (
        not (folder / "checkpoint-10" / "trainer_state.json").exists()
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "training.json").exists(), "it was not killed in the middle"

    from evalsuite.mini.training.trainer import last_checkpoint

    last = last_checkpoint(folder)
    assert last is not None
    cut = int(last.name.rsplit("-", 1)[1])
    # A kill may also hit the writing of a checkpoint; such a one must not be gone on from.
    (folder / "checkpoint-59").mkdir()
    before = json.loads((last / "trainer_state.json").read_text())["log_history"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    record = json.loads((folder / "training.json").read_text())
    assert record["steps"] == 60
    kept = [[row["step"], row["loss"]] for row in before if "loss" in row]
    assert cut >= 10
    assert record["curve"][: len(kept)] == kept


def test_what_is_done_is_not_trained_again(trained: Path) -> None:
    from evalsuite.mini.training.run import train

    path = trained / "language" / "training.json"
    before = path.stat().st_mtime_ns
    train(trained / "toy.yaml", trained)
    assert path.stat().st_mtime_ns == before


def test_the_shipped_recipe_reads(tmp_path: Path) -> None:
    from evalsuite.mini.training.run import stage_names

    names = stage_names("mini")
    assert names[:6] == ["data", "vae", "clip", "latents", "diffusion", "language"]
    assert {"dream-joint", "dream-comprehension", "dream-creation"} <= set(names)


def test_a_folder_is_trained_by_one_recipe_and_one_seed(tmp_path: Path) -> None:
    from evalsuite.mini.training.recipe import keep_recipe, load_recipe
    from evalsuite.mini.training.run import train

    work = tmp_path / "work"
    recipe = _write(tmp_path, _toy())
    train(recipe, work, stages=["data"], seed=3)
    kept = load_recipe(work / "recipe.yaml")
    assert (kept.seed, kept.clip.schedule.seed, kept.data.seed) == (3, 3, load_recipe(recipe).data.seed)
    assert all(stage.schedule.seed == 3 for chain in kept.dream.values() for stage in chain.stages)
    train(recipe, work, stages=["data"], seed=3, processes=1)  # resumed
    with pytest.raises(EvalsuiteError, match=r"another recipe: seed 3 there, 0 here; vae\.schedule\.seed 3"):
        train(recipe, work, stages=["data"])
    other = _toy()
    other["data"]["ones"] += 1  # type: ignore[index]
    with pytest.raises(EvalsuiteError, match=r"data\.ones"):
        train(_write(tmp_path, other), work, stages=["data"], seed=3)
    with pytest.raises(EvalsuiteError, match="train all stages from scratch"):
        train(_write(tmp_path, other), work, stages=["data"], seed=3, resume=False)
    keep_recipe(load_recipe(_write(tmp_path, other)), work, resume=False)
    assert load_recipe(work / "recipe.yaml").data.ones == kept.data.ones + 1


def test_mistakes_in_a_recipe_are_named(tmp_path: Path) -> None:
    from evalsuite.mini.training.run import train

    wrong = _toy()
    wrong["vae"]["chanels"] = [1]  # type: ignore[index]
    with pytest.raises(EvalsuiteError, match="chanels"):
        train(_write(tmp_path, wrong), tmp_path)
    with pytest.raises(EvalsuiteError, match="mini"):
        train("minj", tmp_path)
    with pytest.raises(EvalsuiteError, match="diffusion"):
        train(_write(tmp_path, _toy()), tmp_path, stages=["difusion"])


def test_questions_that_share_a_picture_are_learnt_as_if_they_stood_alone() -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from evalsuite.dreamllm.tokenization import FastTokenizer, special_tokens
    from evalsuite.mini.training.documents import SHORT, Writer, pack
    from evalsuite.mini.training.tokenizer import make_tokenizer

    wrapped = make_tokenizer(end=False, max_length=128)
    tokenizer = FastTokenizer(wrapped)
    writer = Writer(tokenizer, special_tokens(tokenizer), patches=4, queries=2)
    turns = [
        ("what color is the circle?", "red"),
        ("how many objects are there?", "1"),
        ("describe the image", "a"),
    ]
    torch.manual_seed(0)
    llama = LlamaForCausalLM._from_config(
        LlamaConfig(vocab_size=len(wrapped), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                    num_attention_heads=2, num_key_value_heads=2),
        attn_implementation="eager",
    ).eval()  # fmt: skip
    other = writer.chat(None, "a red circle . ", turns[:1], SHORT)
    together = pack([other, writer.chat(None, "a blue square . ", turns, SHORT)], 400, 0)
    states = llama.model(
        input_ids=together.input_ids,
        attention_mask=together.attention_mask,
        position_ids=together.position_ids,
    ).last_hidden_state[0]
    at = len(other) + len(writer.chat(None, "a blue square . ", [], SHORT))
    for turn in turns:
        document = writer.chat(None, "a blue square . ", [turn], SHORT)
        alone = llama.model(input_ids=pack([document], 400, 0).input_ids).last_hidden_state[0]
        length = len(document.branches[0][0])
        assert torch.allclose(states[at : at + length], alone[-length:], atol=1e-5)
        at += length


def test_corrupted_captions_are_false_but_alike() -> None:
    import numpy as np

    from evalsuite.mini.training.clip import corrupt

    rng = np.random.default_rng(0)
    text = "a small red circle left of a large blue square"
    for _ in range(200):
        wrong = corrupt(text, rng)
        assert wrong != text
        assert len(wrong.split()) == len(text.split())


def test_words_of_the_world_are_one_id_each_and_others_are_spelt() -> None:
    from evalsuite.mini.language import VOCABULARY
    from evalsuite.mini.training.tokenizer import make_tokenizer

    tokenizer = make_tokenizer(end=False, max_length=64)
    assert all(len(tokenizer(word).input_ids) == 2 for word in VOCABULARY)
    text = "what color is the zebra's π? a. red"
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text
