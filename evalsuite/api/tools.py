"""Data, weights, this machine, sets of images, studies with people, DreamLLM checkpoints, the miniature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalsuite.api.common import listed, registry_of

if TYPE_CHECKING:
    from evalsuite.comparison.sides import Where
    from evalsuite.data.inspection import DataReport
    from evalsuite.distances import Measured
    from evalsuite.doctor import Finding
    from evalsuite.dreamllm.conversion import Manifest
    from evalsuite.dreamllm.inspection import Inspection
    from evalsuite.metrics.frechet import Gaussian
    from evalsuite.registry import Registry
    from evalsuite.study.key import Key
    from evalsuite.study.results import Results


def check_data(task: str, data: Path | str | None = None, registry: Registry | None = None) -> DataReport:
    """A benchmark's files, checksums, counts and images; `complete` says whether a run can begin.

    Works offline and fetches nothing.

    Args:
        task: its name.
        data: folder with the benchmark's files.

    Raises:
        SpecError: there is no such task, or it cannot say what its data are.
    """
    from evalsuite.data.hub import offline
    from evalsuite.errors import SpecError

    entry = registry_of(registry).task(task)
    if entry.inspect is None:
        raise SpecError(
            f"Task {task!r} cannot say what its data are.", "See `evalsuite doctor`, which tries to build it."
        )
    with offline():
        return entry.inspect(None if data is None else Path(data), True)


def diagnose(plugins: Iterable[Path | str] = (), *, data: bool = True) -> list[Finding]:
    """What works here, what is missing, and how to get it: the lines of `evalsuite doctor`. Fetches nothing.

    Args:
        plugins: plugin files to load too.
        data: look for every benchmark's data, checksums included.
    """
    from evalsuite.doctor import examine

    return list(examine(map(Path, plugins), data=data))


def fetch_weights(
    names: str | Iterable[str],
    revision: str | None = None,
    progress: Callable[[str], Callable[[int, int], None]] | None = None,
) -> dict[str, Path]:
    """Fetches published weights, and checks that they are what was published; where they lie now, by name.

    Args:
        names: files, groups of files, or hub ids owner/name; see `list_weights`.
        revision: of a hub repository.
        progress: makes, from a name, a callback that gets the bytes so far and in total.

    Raises:
        SpecError: a name that is none.
        UnavailableError: a server cannot be reached or does not have it.
        CheckpointError: what came is not the published file.
    """
    from evalsuite.features import fetching

    wanted = fetching.expand([names] if isinstance(names, str) else names)
    return {name: fetching.fetch(name, revision, progress(name) if progress else None) for name in wanted}


def save_statistics(
    out: Path | str,
    mode: str,
    *,
    folder: Path | str | None = None,
    task: str | None = None,
    data: Path | str | None = None,
    task_options: Mapping[str, Any] | None = None,
    network: str = "inception",
    device: str = "auto",
    registry: Registry | None = None,
) -> Gaussian:
    """Mean and covariance of the features of images, saved with the record of how they were made.

    Other tools (pytorch-fid, clean-fid …) read the file too.

    Args:
        out: the .npz file to write.
        mode: named way from image to features: pytorch-fid, clean, torch-fidelity, dreamllm … (openai, cmmd …
            for CLIP).
        folder: folder of images; or
        task: a benchmark whose reference images to take, with its `data` and `task_options`.
        network: `inception`, or `clip:SOURCE`, `dino:SOURCE` with a folder or hub id.
        device: torch device.

    Raises:
        SpecError: neither or both of folder and task, unknown names, a task without reference images.
        DataError: broken images.
        UnavailableError: the network's weights are not here.
        StoreError: the file cannot be written.
    """
    from evalsuite.content import Image
    from evalsuite.data.folders import images_in
    from evalsuite.distances import network_spec
    from evalsuite.distances import save_statistics as save
    from evalsuite.errors import SpecError
    from evalsuite.features import load_network
    from evalsuite.running.runfile import option_texts
    from evalsuite.task import HasReferenceImages
    from evalsuite.task.entry import TaskOptions

    if (folder is None) == (task is None):
        raise SpecError("Statistics need a folder of images or a benchmark (--task).", "Give one of the two.")
    if folder is not None:
        images: Sequence[Image] = images_in(Path(folder))
    else:
        assert task is not None
        options = option_texts(task_options or {})
        place = None if data is None else Path(data)
        built = registry_of(registry).task(task).build(TaskOptions(data=place, options=options))
        if not isinstance(built, HasReferenceImages):
            raise SpecError(f"Task {task!r} has no reference images.", "Choose a text-to-image benchmark.")
        found = built.reference()
        if isinstance(found, Path):
            raise SpecError(f"The reference is {found}, which holds statistics already.", "Use it as it is.")
        images = found
    return save(images, load_network(network_spec(network, mode), device), Path(out))


def distance(
    generated: Path | str,
    reference: Path | str,
    mode: str,
    *,
    also: Sequence[str] = (),
    network: str = "inception",
    device: str = "auto",
) -> Measured:
    """Fréchet distance (FID with the Inception network) of two sets of images, and more, by name in `values`.

    Args:
        generated, reference: folders of images, or .npz files of statistics.
        mode: as for `save_statistics`; numbers of different modes cannot be compared.
        also: kid, kid-torch-fidelity, precision-recall.
        network, device: as for `save_statistics`.

    Raises:
        SpecError: unknown names.
        DataError: what cannot be read, and statistics of another kind.
        UnavailableError: the network's weights are not here.
    """
    from evalsuite.distances import check, measure, network_spec
    from evalsuite.features import load_network

    check(Path(generated), Path(reference), also)  # before a network is loaded, or missed
    loaded = load_network(network_spec(network, mode), device)
    return measure(Path(generated), Path(reference), loaded, also)


def make_study(
    runs: Where | Iterable[Where],
    out: Path | str,
    *,
    task: str | None = None,
    count: int = 150,
    mode: Literal["rate", "compare"] = "rate",
    question: str | None = None,
    answers: Sequence[str] = ("yes", "no"),
    ties: bool = True,
    by: str | None = None,
    reference: bool = False,
    seed: int = 0,
    registry: Registry | None = None,
) -> Key:
    """Writes a page that shows what models made, blind and in random order, and collects people's votes.

    `out/page` is for raters (it opens from disk), `out/key.json` stays with you; `read_study` reads votes.

    Args:
        runs: runs of the same task.
        task: the first whose answers hold images by default.
        count: samples.
        mode: `rate`: one by one; `compare`: two sources side by side.
        question: as raters read it; a neutral one by default.
        answers: with `rate`; the share of the first is reported.
        ties: with `compare`: allow “no preference”.
        by: label that topics come from; `topic` where there is one by default.
        reference: show the true documents too, as one more source.
        seed: of choice, order and sides.

    Raises:
        SpecError, StoreError, DataError: as `evalsuite study make` reports them.
    """
    from evalsuite.comparison.sides import paths_of
    from evalsuite.study import Design, make

    design = Design(mode, count, question, tuple(answers), ties, by, reference, seed)
    return make(paths_of(runs), Path(out), task=task, design=design, registry=registry)


def read_study(folder: Path | str, votes: Path | str | Iterable[Path | str]) -> Results:
    """What the votes of a study say: shares with intervals, over all and by topic, and agreement of raters.

    Args:
        folder: what `make_study` wrote.
        votes: files that raters sent back.

    Raises:
        StoreError, DataError: the study or the votes cannot be read.
    """
    from evalsuite.study import analyse, read_key, read_votes

    key = read_key(Path(folder))
    return analyse(key, read_votes(key, listed(votes)))


def inspect_dreamllm(source: Path | str) -> Inspection:
    """What a DreamLLM checkpoint holds and what would be loaded; `loads` says whether it would. Reads no
    weights.

    Args:
        source: folder in either layout, or a name on the hub.

    Raises:
        CheckpointError: it is neither.
        UnavailableError: it is not in the cache and the hub cannot be reached.
    """
    from evalsuite.dreamllm.inspection import inspect
    from evalsuite.dreamllm.locating import locate

    where = locate(str(source))
    found = inspect(where.folder)
    found.folder = where.source
    return found


def convert_dreamllm(
    source: Path | str,
    target: Path | str,
    *,
    to: str = "evalsuite",
    dtype: str | None = None,
    shard_size: int | str = "2GB",
) -> Manifest:
    """Rewrites a DreamLLM checkpoint in another layout or precision; the manifest lists every tensor.

    Args:
        source: folder in either layout, or a name on the hub.
        target: folder to write; must not exist.
        to: layout: `evalsuite` or `upstream`.
        dtype: bf16, fp16 or fp32; the stored precision by default.
        shard_size: largest file of the main weights.

    Raises:
        SpecError: unknown layout or precision.
        CheckpointError: the source is no complete DreamLLM, or the target exists.
    """
    from evalsuite.dreamllm.conversion import LAYOUTS, convert, dtype_named
    from evalsuite.dreamllm.locating import locate
    from evalsuite.errors import SpecError, suggest

    layout = next((name for name in LAYOUTS if name == to), None)
    if layout is None:
        raise SpecError(f"There is no layout {to!r}.", suggest(to, LAYOUTS))
    folder = locate(str(source)).folder
    return convert(folder, Path(target), to=layout, dtype=dtype_named(dtype), max_shard_size=shard_size)


def train_mini(
    work: Path | str,
    recipe: Path | str = "mini",
    *,
    stages: Sequence[str] | None = None,
    resume: bool = True,
    seed: int | None = None,
) -> Path:
    """Trains the miniature's models from scratch; called again, it resumes. The folder of the checkpoints.

    Args:
        work: folder for caches, checkpoints and results.
        recipe: name of a shipped recipe, or a YAML file.
        stages: only these.
        resume: False trains from scratch.
        seed: of every stage, in place of the recipe's.

    Raises:
        EvalsuiteError: an unknown recipe or stage; a folder that holds a training by another recipe.
    """
    from evalsuite.mini.training.run import train

    return train(recipe, Path(work), resume=resume, stages=stages, seed=seed)
