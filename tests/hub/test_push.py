"""A run on a hub, over real HTTP with the hub's own client, and read back with its own types."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow.parquet
import pytest

from evalsuite.errors import StoreError, UnavailableError
from evalsuite.hub import push
from tests.cli.program import here
from tests.hub.server import Hub, serving
from tests.report.support import measure, registry

REPO = "me/tiny"
SIZES = {(48, 48), (400, 400)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with hostile answers, failures and images."""
    return measure(tmp_path_factory.mktemp("pushed") / "odd", "odd", "shapes", "edits")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as found:
        yield found


def _send(run: Path, hub: Hub, **settings: Any) -> Any:
    return push(run, REPO, endpoint=hub.url, token="hf_secret", registry=registry(), **settings)


def _card(hub: Hub) -> Any:
    from huggingface_hub import ModelCard

    return ModelCard(hub.files["models", REPO]["README.md"].decode())


def test_the_card_has_the_numbers_and_the_dataset_the_samples(run: Path, hub: Hub) -> None:
    done = _send(run, hub)
    assert done.numbers == len(_card(hub).data.eval_results)
    assert (done.model, done.dataset) == (f"{hub.url}/{REPO}", f"{hub.url}/datasets/{REPO}-results")
    found = {(one.dataset_type, one.metric_type): one for one in _card(hub).data.eval_results}
    accuracy = found["shapes", "accuracy"]
    metrics = json.loads((run / "metrics.json").read_text())["results"]
    (stored,) = [
        e for r in metrics if r["task"] == "shapes" for e in r["estimates"]
        if e["metric"]["name"] == "accuracy" and not e["group"]
    ]  # fmt: skip
    assert accuracy.metric_value == pytest.approx(100 * stored["value"], rel=1e-5)
    assert accuracy.metric_args["n"] == stored["n"]
    assert (accuracy.task_type, accuracy.dataset_split) == ("image-text-to-text", "test")
    assert found["edits", "accuracy"].task_type == "image-to-image"
    files = hub.files["datasets", f"{REPO}-results"]
    assert sorted(files) == ["README.md", "data/edits.parquet", "data/shapes.parquet"]
    rows = pyarrow.parquet.read_table(pyarrow.BufferReader(files["data/shapes.parquet"])).to_pylist()
    assert len(rows) == 24
    assert set(rows[0]) == {"id", "answer", "parsed", "failure", "scores", "labels"}
    assert any(row["failure"] for row in rows)
    images = pyarrow.parquet.read_table(pyarrow.BufferReader(files["data/edits.parquet"])).to_pylist()
    drawn = [row["images"][0]["bytes"] for row in images if row["images"]]
    assert drawn
    assert all(PIL.Image.open(io.BytesIO(data)).size in SIZES for data in drawn)
    assert hub.tokens == {"Bearer hf_secret"}


@pytest.mark.slow
def test_the_dataset_is_read_by_its_own_library_with_images(run: Path, hub: Hub, tmp_path: Path) -> None:
    from datasets import Image, load_dataset

    push(run, REPO, dry_run=tmp_path / "dry", registry=registry())
    found = load_dataset(str(tmp_path / "dry" / "dataset"), "edits", cache_dir=str(tmp_path / "cache"))
    (split,) = found.values()
    assert len(split) == 24
    feature = split.features["images"]
    assert isinstance(feature.feature if hasattr(feature, "feature") else feature[0], Image)
    assert next(row["images"][0] for row in split if row["images"]).size in SIZES


def test_a_card_that_is_there_keeps_its_text_and_the_results_of_others(run: Path, hub: Hub) -> None:
    theirs = """---
license: mit
model-index:
- name: tiny
  results:
  - task: {type: image-text-to-text}
    dataset: {name: VQAv2, type: vqav2}
    metrics: [{type: accuracy, value: 71.0}]
---

# Tiny

Written by hand.
"""
    hub.files["models", REPO] = {"README.md": theirs.encode()}
    first = _send(run, hub)
    assert len(_card(hub).data.eval_results) == first.numbers + 1
    _send(run, hub)  # again: ours are replaced, not doubled
    card = _card(hub)
    assert len(card.data.eval_results) == first.numbers + 1
    assert card.data.license == "mit"
    assert "Written by hand." in card.text
    assert [one.metric_value for one in card.data.eval_results if one.dataset_type == "vqav2"] == [71.0]


def test_a_pull_request_private_and_no_dataset(run: Path, hub: Hub) -> None:
    done = _send(run, hub, pull_request=True, dataset="")
    assert done.model == f"{hub.url}/{REPO}/discussions/1"
    assert [repo for repo, _ in hub.files] == ["models"]


@pytest.mark.parametrize(("status", "remedy"), [(401, "HF_TOKEN"), (403, "may write"), (418, "--dry-run")])
def test_a_hub_that_refuses_is_one_clear_error(run: Path, hub: Hub, status: int, remedy: str) -> None:
    hub.refuses = status
    with pytest.raises(UnavailableError, match=f"refuses {REPO}.*{status}") as raised:
        _send(run, hub)
    assert remedy in raised.value.remedy
    assert "hf_secret" not in str(raised.value)


def test_a_hub_that_is_not_there_is_one_clear_error(run: Path) -> None:
    with serving() as hub:
        url = hub.url
    with pytest.raises(UnavailableError, match="cannot be pushed"):
        push(run, REPO, endpoint=url, token="x", registry=registry())


def test_a_dry_run_writes_the_same_and_sends_nothing(
    run: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import ModelCard

    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    command = ("push", run, "--repo", REPO, "--dry-run", tmp_path / "dry", "--prompts")
    for _ in range(2):  # the second replaces the first
        done = here(capsys, *command)
        assert done.returncode == 0, done.stderr
    assert not hub.files
    card = ModelCard.load(tmp_path / "dry" / "model" / "README.md")
    assert {one.source_name for one in card.data.eval_results} == {"evalsuite"}
    rows = pyarrow.parquet.read_table(tmp_path / "dry" / "dataset" / "data" / "shapes.parquet").to_pylist()
    assert "which colour is it" in rows[0]["prompt"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(StoreError, match="not empty"):
        push(run, REPO, dry_run=tmp_path / "other", registry=registry())


def test_a_run_without_numbers_is_refused(run: Path, tmp_path: Path) -> None:
    import shutil

    bare = shutil.copytree(run, tmp_path / "bare")
    (bare / "metrics.json").unlink()
    with pytest.raises(StoreError, match="has no numbers"):
        push(bare, REPO, dry_run=tmp_path / "dry")
