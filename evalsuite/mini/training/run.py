"""The whole training from one recipe: stages in order, each skipped when it is done, each resumed when it
was cut off, on as many processes as the recipe asks for."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ...errors import EvalsuiteError, suggest
from .places import recipes
from .processes import hold, train_in_processes
from .recipe import keep_recipe, load_recipe, seeded
from .stages import Stage, make_stages

log = logging.getLogger(__name__)


def find_recipe(name: Path | str) -> Path:
    """A recipe file, or the shipped recipe of a name.

    Raises:
        EvalsuiteError: neither exists.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return Path(name)
    folder = recipes()
    path = folder / f"{name}.yaml"
    if not path.exists():
        known = sorted(p.stem for p in folder.glob("*.yaml"))
        raise EvalsuiteError(f"There is no recipe {str(name)!r}.", suggest(str(name), known))
    return path


def train(
    recipe: Path | str,
    work: Path,
    resume: bool = True,
    stages: Sequence[str] | None = None,
    processes: int | None = None,
    seed: int | None = None,
) -> Path:
    """Train the miniature.

    Args:
        recipe: name of a shipped recipe, or a YAML file.
        work: folder for caches, checkpoints and results; give the same one again to resume after an
            interruption.
        resume: resume from what `work` holds; otherwise train the chosen stages from nothing.
        stages: which to run, from `stage_names`, with what they need and is not done; None for all.
        processes: how many stages may run beside each other, each on one core; by default what the recipe
            says, and never more than there are cores. The result does not depend on it.
        seed: of every stage, in place of the recipe's; the data stay the same.

    Returns:
        The folder with the finished checkpoints, laid out as they are shipped: `work/ship`.

    Raises:
        EvalsuiteError: the recipe is missing or malformed, a stage is unknown, `work` holds a training by
            another recipe or seed, or a stage failed in a process of its own.
    """
    plan = load_recipe(find_recipe(recipe))
    plan = plan if seed is None else seeded(plan, seed)
    known = make_stages(plan, work, resume)
    for name in stages or ():
        if name not in known:
            raise EvalsuiteError(f"Recipe {plan.name!r} has no stage {name!r}.", suggest(name, known))
    # Some stages from scratch leave the others, which must be of the same recipe.
    path = keep_recipe(plan, work, resume=resume or stages is not None)
    to_do: set[str] = set()
    for name in known if stages is None else stages:
        if resume and known[name].done.exists():
            log.info("stage %s is done: %s", name, known[name].done)
        else:
            to_do |= {name, *_lacking(known, name)}
    chosen = {name: stage for name, stage in known.items() if name in to_do}
    if min(processes or plan.processes, _cores(), len(chosen)) > 1:
        train_in_processes(path, work, resume, chosen, min(processes or plan.processes, _cores()))
        return work / "ship"
    # More threads than one make small matrices slower, and much slower on a machine that does something
    # else too.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for number, (name, stage) in enumerate(chosen.items(), start=1):
        log.info("stage %s (%d of %d)", name, number, len(chosen))
        with hold(work, name):
            stage.start()
    return work / "ship"


def _lacking(known: Mapping[str, Stage], name: str) -> set[str]:
    """What a stage needs, and what that needs, as far as it is not done."""
    needs = [need for need in known[name].needs if not known[need].done.exists()]
    return {*needs, *(deeper for need in needs for deeper in _lacking(known, need))}


def stage_names(recipe: Path | str) -> list[str]:
    """The stages of a recipe in the order in which one process trains them."""
    return list(make_stages(load_recipe(find_recipe(recipe)), Path(), True))


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
