"""Features of a run's images are computed once: kept, reused, and computed again where something changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.features import blocks, extraction
from evalsuite.features.keeping import keeping
from evalsuite.running.resolving import built_task
from evalsuite.running.scoring import compute, score_run
from evalsuite.store import RunReader, verify
from evalsuite.store.feature_files import delete_features, prune, stored_features
from evalsuite.store.features import FeatureFolder
from tests.features.drawing_runs import Drawing, numbers, scores

pytestmark = pytest.mark.slow
KINDS = 4
"""Files of features: two networks, CLIP's texts, the scorer."""


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    return Drawing.write(tmp_path_factory.mktemp("drawing") / "data", prompts=150, reference=70)


@pytest.fixture(scope="module")
def scored(drawing: Drawing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert drawing.run(out).exit_code == 0
    return out


@pytest.fixture
def out(scored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scored, tmp_path / "run"))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The networks of every block that is computed in this process."""
    found: list[tuple[str, ...]] = []
    original = blocks.rows_of_block

    def watch(prepared: Any, networks: Any) -> Any:
        found.append(prepared[0].networks)
        return original(prepared, networks)

    monkeypatch.setattr(blocks, "rows_of_block", watch)
    return found


def rescored(out: Path) -> list[Any]:
    found = score_run(out)
    assert not found.errors
    return numbers(out)


def test_a_second_score_computes_nothing_and_gives_the_same_bits(
    out: Path, scored: Path, computed: list[tuple[str, ...]]
) -> None:
    assert rescored(out) == numbers(scored)
    assert scores(out).equals(scores(scored))
    assert computed == []


def test_without_kept_features_the_same_bits_come_out(
    out: Path, scored: Path, computed: list[tuple[str, ...]]
) -> None:
    assert delete_features(out) > 0
    assert rescored(out) == numbers(scored)
    assert computed == [("bright", "clip", "dino")] * 3  # each image is decoded once for all networks
    assert len(stored_features(out)) == KINDS


def test_where_nothing_can_be_kept_the_numbers_are_the_same(out: Path, scored: Path) -> None:
    with RunReader(out) as run, keeping(None):
        task = built_task(run, "tiny-t2i")
        rows = [row.values for row in task.score(list(_answers(run, task))).rows]
    with RunReader(scored) as run:
        kept, _ = compute(run, "tiny-t2i", built_task(run, "tiny-t2i"))
    assert rows == [row.values for row in kept.rows]


def _answers(run: RunReader, task: Any) -> Any:
    from evalsuite.running.scoring import StoredAnswers

    return StoredAnswers(run, "tiny-t2i", task)


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 100])
def test_whatever_part_is_missing_the_bits_are_those_of_an_unbroken_run(
    out: Path, scored: Path, rows: int
) -> None:
    """As a kill leaves it: some files shorter, one with a torn row."""
    for number, found in enumerate(stored_features(out)):
        assert found.kind is not None
        size = found.kind.row.itemsize * rows + number % 2
        with found.file.open("r+b") as stream:
            stream.truncate(size)
    assert rescored(out) == numbers(scored)
    assert all(not found.damaged for found in stored_features(out, check=True))


def test_one_damaged_row_costs_its_block(out: Path, scored: Path, computed: list[tuple[str, ...]]) -> None:
    found = next(one for one in stored_features(out) if one.kind and one.kind.network == "tiny DINO")
    data = bytearray(found.file.read_bytes())
    data[len(data) // 2] ^= 1
    found.file.write_bytes(data)
    assert verify(out).sound
    assert verify(out).damaged_features == 1
    assert rescored(out) == numbers(scored)
    assert computed == [("dino",)]
    assert not verify(out).damaged_features


def test_a_changed_image_is_computed_again(out: Path, scored: Path) -> None:
    image = sorted((out / "images").rglob("*.png"))[3]
    pil.fromarray(np.full((32, 32, 3), 255, np.uint8)).save(image)
    before, after = scores(scored), None
    rescored(out)
    after = scores(out)
    changed = before["value.brightness"] != after["value.brightness"]
    assert changed.sum() == 1
    assert (after["value.brightness"] > 255).sum() == 1
    shutil.copy(next((scored / "images").rglob(image.name)), image)
    assert rescored(out) == numbers(scored)


def test_other_weights_or_another_mode_are_computed_again(
    drawing: Drawing, out: Path, computed: list[tuple[str, ...]], tmp_path: Path
) -> None:
    from tests.features.networks import write_clip

    def score(**options: str) -> Any:
        with RunReader(out) as run:
            task = drawing.registry().task("tiny-t2i")
            from evalsuite.task.entry import TaskOptions

            built = task.build(TaskOptions(data=drawing.root, options={**drawing.options, **options}))
            return compute(run, "tiny-t2i", built)[0]

    first = score()
    assert computed == []
    other = write_clip(tmp_path / "clip", seed=1)
    second = score(weights=f"clip={other},dino={drawing.root / 'dino'}")
    # What the reference looks like in the other network is computed too, under no key of the task.
    assert [networks for networks in computed if networks != ("",)] == [("clip",)] * 3
    assert first.rows[0].values["CLIPScore"] != second.rows[0].values["CLIPScore"]
    assert first.rows[0].values["brightness"] == second.rows[0].values["brightness"]


def test_a_reader_of_a_run_uses_what_is_kept_and_writes_nothing(
    out: Path, computed: list[tuple[str, ...]]
) -> None:
    state = {file: file.stat().st_mtime_ns for file in (out / "features").iterdir()}
    with RunReader(out) as run:
        compute(run, "tiny-t2i", built_task(run, "tiny-t2i"))
        assert computed == []
        delete_features(out)
    with RunReader(out) as run:
        compute(run, "tiny-t2i", built_task(run, "tiny-t2i"))
    assert len(computed) == 3
    assert not (out / "features").exists()
    assert state


def test_a_distance_of_the_runs_folder_reads_what_is_kept(
    drawing: Drawing, out: Path, computed: list[tuple[str, ...]]
) -> None:
    from evalsuite.distances import measure
    from evalsuite.features import NetworkSpec, load_network

    network = load_network(NetworkSpec("dino", str(drawing.root / "dino"), "openai", "another name"), "cpu")
    kept = measure(out / "images", drawing.root / "reference", network)
    assert len(computed) == 2  # the 70 reference images
    delete_features(out)
    fresh = measure(out / "images", drawing.root / "reference", network)
    assert len(computed) == 2 + 2 + 3
    assert kept.values["frechet"] == pytest.approx(fresh.values["frechet"], rel=1e-6)
    assert not (out / "features").exists()


def test_a_broken_image_fails_its_sample_alone(out: Path, scored: Path) -> None:
    image = sorted((out / "images").rglob("*.png"))[5]
    image.write_bytes(image.read_bytes()[:60])
    assert not score_run(out).errors
    before, after = scores(scored), scores(out)
    assert (after["failure"] != "").sum() == 1
    whole = after["failure"] == ""
    columns = [name for name in before if name.startswith("value.")]
    assert before[whole][columns].equals(after[whole][columns])


def test_the_model_is_gone_when_features_are_computed(
    drawing: Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import weakref

    made: list[weakref.ref[Any]] = []
    alive: list[bool] = []
    registry = drawing.registry()
    kind = sys.modules["evalsuite_plugin_drawing_plugin"].Drawer
    init = kind.__init__

    def remember(self: Any) -> None:
        init(self)
        made.append(weakref.ref(self))

    monkeypatch.setattr(kind, "__init__", remember)
    original = blocks.compute_blocks

    def watch(*arguments: Any) -> Any:
        alive.append(made[0]() is not None)
        return original(*arguments)

    monkeypatch.setattr(extraction, "compute_blocks", watch)
    from evalsuite.running import run

    run(drawing.spec, tmp_path / "run", registry=registry)
    assert len(made) == 1
    assert alive
    assert not any(alive)


def test_features_are_pruned_and_a_run_without_them_is_a_run(out: Path, scored: Path) -> None:
    rows = verify(out).features
    assert rows == 150 * KINDS
    assert prune(out) > 0
    assert not (out / "features").exists()
    assert verify(out).features == 0
    assert verify(out).sound
    with RunReader(out) as run:
        assert run.metrics()
    assert rescored(out) == numbers(scored)


def test_memory_holds_a_few_blocks_however_many_there_are(drawing: Drawing) -> None:
    """Images are decoded at most two blocks ahead of the network."""
    from evalsuite.content import Image

    alive, most = 0, 0

    class Counting:
        name, preprocess, fingerprint, dim = "counting", "", "0" * 64, 1

        def prepare(self, image: Any) -> Any:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            return 1.0

        def features(self, prepared: Any) -> np.ndarray:
            nonlocal alive
            alive -= len(prepared)
            return np.ones((len(prepared), 1), np.float32)

    files = [Image(path=path) for path in sorted((drawing.root / "reference").iterdir())]
    found, _ = extraction.image_features({"one": Counting()}, files * 8, block=16)
    assert found["one"].sum() == len(files) * 8
    assert most <= 3 * 16


def test_a_folder_of_the_run_is_not_needed(tmp_path: Path) -> None:
    folder = FeatureFolder(tmp_path / "nowhere")
    with keeping(folder):
        found, state = extraction.image_features({}, [])
    assert found == {}
    assert not state.failures
