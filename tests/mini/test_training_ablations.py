"""Ablations: recipes on another's base, chains of several seeds, fewer labels, other numbers of queries."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.errors import EvalsuiteError

pytest.importorskip("torch")
pytest.importorskip("diffusers")

TWO_STEPS = {"steps": 2, "batch": 4, "lr": 1e-3, "warmup": 1, "save_every": 5, "log_every": 1}
STAGE = {"lm_weight": 1, "vm_weight": 10, "align_weight": 1, "check_every": 2}


def _write(folder: Path, name: str, values: dict[str, Any]) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def _base(folder: Path) -> Path:
    """The shipped recipe on a handful of images."""
    from evalsuite.mini.training.run import find_recipe

    values = yaml.safe_load(find_recipe("mini").read_text())
    values["data"] = {"ones": 20, "twos": 30, "threes": 10, "validation": 8, "edits": 4, "stories": 4,
                      "easy_vqa": False, "seed": 1}  # fmt: skip
    values["diffusion"]["latents"] = [20, 30, 10]
    return _write(folder, "base", values)


def _ablations(**chain: Any) -> dict[str, Any]:
    rows = {"chat": 1, "drill": 1, "choice": 1, "draw": 1}
    stages = [{"stage": 3, "rows": rows, **STAGE, "schedule": TWO_STEPS}]
    return {
        "base": "base", "name": "few", "parts": "shipped",
        "dream": {"few": {"queries": 20, "check_scenes": 2, "stages": stages, **chain}},
    }  # fmt: skip


def test_a_recipe_takes_what_it_lacks_from_its_base(tmp_path: Path) -> None:
    from evalsuite.mini.training.recipe import load_recipe

    base = load_recipe(_base(tmp_path))
    found = load_recipe(_write(tmp_path, "few", _ablations()))
    assert (found.name, found.data, found.language) == ("few", base.data, base.language)
    assert list(found.dream) == ["few"]


@pytest.mark.parametrize(
    ("values", "said"),
    [({"base": "absent"}, "absent.yaml"), ({"base": "own"}, "its own base")],
)
def test_a_base_that_leads_nowhere_is_named(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    from evalsuite.mini.training.recipe import load_recipe

    with pytest.raises(EvalsuiteError, match=said):
        load_recipe(_write(tmp_path, "own", values))


def test_seeds_make_a_chain_each_with_schedules_of_that_seed(tmp_path: Path) -> None:
    from evalsuite.mini.training.recipe import load_recipe, seeded

    _base(tmp_path)
    recipe = load_recipe(_write(tmp_path, "few", _ablations(seeds=[0, 3])))
    assert list(recipe.dream) == ["few-s0", "few-s3"]
    assert [recipe.seed_of(name) for name in recipe.dream] == [0, 3]
    assert [chain.stages[0].schedule.seed for chain in recipe.dream.values()] == [0, 3]
    assert {recipe.kind_of(name) for name in recipe.dream} == {"joint"}
    with pytest.raises(EvalsuiteError, match="names the seeds itself"):
        seeded(recipe, 1)


def test_every_shipped_ablation_loads_and_has_three_seeds() -> None:
    from evalsuite.mini.training.recipe import load_recipe
    from evalsuite.mini.training.run import find_recipe

    recipe = load_recipe(find_recipe("ablations"))
    groups: dict[str, list[int]] = {}
    for name in recipe.dream:
        groups.setdefault(name.rsplit("-s", 1)[0], []).append(recipe.seed_of(name))
    assert groups
    assert all(seeds == [0, 1, 2] for seeds in groups.values())
    assert recipe.kind_of("labels-240-comprehension-s0") == "comprehension"
    assert {recipe.dream[f"labels-{n}-joint-s1"].labelled for n in (240, 720, 2400)} == {240, 720, 2400}


def test_fewer_labels_are_a_part_of_more_and_of_every_size_of_scene() -> None:
    import numpy as np

    from evalsuite.mini.training.dream import _first

    pools = [np.arange(0, 40), np.arange(40, 100), np.arange(100, 110)]
    sets = [{int(row) for pool in pools for row in _first(pool, count, 110)} for count in (11, 55, 110, 500)]
    assert [len(found) for found in sets] == [11, 55, 110, 110]
    assert sets[0] < sets[1] < sets[2]
    assert all(len(_first(pool, 1, 110)) == 1 for pool in pools)
    assert all(_first(pool, None, 110) is pool for pool in pools)


def test_fewer_queries_than_words_are_pulled_towards_means_of_neighbours() -> None:
    import torch

    from evalsuite.mini.training.dream import _as_many

    states = torch.arange(12, dtype=torch.float32).reshape(1, 6, 2)
    assert _as_many(states, 3).tolist() == [[[1, 2], [5, 6], [9, 10]]]
    assert _as_many(states, 6) is states
    assert _as_many(states, 40) is states


@pytest.mark.slow
def test_ablations_start_from_the_shipped_parts(tmp_path: Path) -> None:
    import torch
    from evalsuite_baselines.mini import CHECKPOINTS
    from safetensors.torch import load_file

    from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
    from evalsuite.mini.training.run import train

    _base(tmp_path)
    work = tmp_path / "work"
    path = _write(tmp_path, "few", _ablations(seeds=[0, 1], queries=40, labelled=5))
    # One stage of an empty folder brings what it needs, and nothing else.
    assert not train(path, work, stages=["dream-few-s1"]).joinpath("dreamllm-few-s1").exists()
    assert [folder.name for folder in sorted((work / "dream").iterdir())] == ["few-s1"]
    ship = train(path, work)
    assert not (work / "language").exists()
    kept = load_file(work / "parts" / "lm" / "model.safetensors")
    shipped = load_file(CHECKPOINTS / "dreamllm-stage1" / "model.safetensors")
    assert all(torch.equal(kept[name], shipped[name].float()) for name in kept)
    models = [DreamLLMForCausalLM.from_pretrained(ship / f"dreamllm-few-s{seed}") for seed in (0, 1)]
    assert [model.config.num_dream_queries for model in models] == [40, 40]
    assert not torch.equal(models[0].dream_queries, models[1].dream_queries)
    # The same command again finds everything done.
    assert train(path, work) == ship
