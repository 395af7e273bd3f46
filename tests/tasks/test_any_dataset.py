"""Tasks over a `datasets.Dataset` of any kind, and runs as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

import evalsuite
from evalsuite.errors import DataError, SpecError
from evalsuite.task import TaskOptions, from_dataset

pytestmark = pytest.mark.slow
BENCHMARK: dict[str, Any] = {
    "name": "my-diagrams", "title": "Questions about diagrams", "family": "exam", "version": "1",
    "split": "test", "licence": "CC0", "home": "https://example.org", "capability": "text",
    "metrics": [{"name": "accuracy", "scale": 100, "headline": True}], "rules": {"official": "lmms-mcq"},
    "sources": [{
        "reader": "mcq-table", "settings": {"answer": "index"},
        "columns": {"question": "q", "options": "options", "answer": "a", "image": "image"},
    }],
    "protocols": {"letter": {
        "template": "{image}{question}\n{options}\nAnswer with the letter.",
        "decoding": {"max_new_tokens": 16},
    }},
}  # fmt: skip


def _rows(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for i in range(6):
        path = folder / f"{i}.png"
        Image.new("RGB", (8, 8), (40 * i, 0, 0)).save(path)
        rows.append({"q": f"Question {i}?", "options": ["x", "y", "z"], "a": i % 3, "image": str(path)})
    return rows


def _dataset(folder: Path) -> datasets.Dataset:
    return datasets.Dataset.from_list(_rows(folder)).cast_column("image", datasets.Image())


def test_kinds_of_datasets_make_the_same_task(tmp_path: Path) -> None:
    made = _dataset(tmp_path)
    made.save_to_disk(str(tmp_path / "saved"))
    kinds = [made, made.to_iterable_dataset(), datasets.load_from_disk(str(tmp_path / "saved"))]
    found = []
    for kind in kinds:
        entry = from_dataset(kind, BENCHMARK, folder=tmp_path / "rows")
        task = entry.build(TaskOptions())
        samples = list(task.samples())
        assert len(samples) == 6
        requests = [request for sample in samples if (request := task.request(sample)) is not None]
        images = [image.read() for request in requests for image in request.images]
        assert len(images) == 6
        found.append((task.fingerprint(), [sample.id for sample in samples], images))
    assert found[0] == found[1] == found[2]
    assert found[0][2][3] == (tmp_path / "3.png").read_bytes()
    assert len(list((tmp_path / "rows").iterdir())) == 1
    part = from_dataset(made.select(range(3)), BENCHMARK, folder=tmp_path / "rows").build(TaskOptions())
    assert part.fingerprint() != found[0][0]


def test_a_plugin_runs_it_and_the_run_is_a_dataset_again(tmp_path: Path) -> None:
    _dataset(tmp_path).save_to_disk(str(tmp_path / "saved"))
    plugin = tmp_path / "my_dataset_task.py"
    plugin.write_text(
        "import json\nimport datasets\nfrom evalsuite.task import from_dataset\n\n\ndef tasks():\n"
        f"    rows = datasets.load_from_disk({str(tmp_path / 'saved')!r})\n"
        f"    benchmark = json.loads({json.dumps(BENCHMARK)!r})\n"
        f"    return [from_dataset(rows, benchmark, folder={str(tmp_path / 'rows')!r})]\n"
    )
    registry = evalsuite.load_registry([plugin])
    run = evalsuite.run("oracle", "my-diagrams", tmp_path / "run", registry=registry, self_check=False)
    assert isinstance(run, evalsuite.Run)
    found = run.to_dataset()
    assert found.num_rows == 6
    assert found.features["score.accuracy"] == datasets.Value("float64")
    assert set(found["score.accuracy"]) == {1.0}
    assert found[0]["prompt"].endswith("Answer with the letter.")
    assert "prompt" not in run.to_dataset(prompts=False).column_names


def test_generated_images_are_images_of_the_library(tmp_path: Path) -> None:
    run = evalsuite.run(
        "oracle", "mini-coco-t2i", tmp_path / "run", limit=2, task_options={"metrics": "overall"},
        self_check=False,
    )  # fmt: skip
    assert isinstance(run, evalsuite.Run)
    found = run.to_dataset()
    assert found.features["images"] == datasets.List(datasets.Image())
    assert found[0]["images"][0].size[0] > 0
    assert "images" not in run.to_dataset(images=False).column_names


def test_what_is_no_split_is_refused(tmp_path: Path) -> None:
    splits = datasets.DatasetDict({"test": _dataset(tmp_path)})
    with pytest.raises(SpecError, match=r"DatasetDict is not one split of a dataset \(test\)"):
        from_dataset(splits, BENCHMARK, folder=tmp_path / "rows")
    with pytest.raises(SpecError, match="names one source"):
        from_dataset(_dataset(tmp_path), {**BENCHMARK, "sources": []}, folder=tmp_path / "rows")
    with pytest.raises(DataError, match="has no rows"):
        from_dataset(_dataset(tmp_path).select([]), BENCHMARK, folder=tmp_path / "rows")
    (tmp_path / "2.png").unlink()
    with pytest.raises(DataError, match=r"cannot be stored.*2\.png"):
        from_dataset(_dataset_without(tmp_path), BENCHMARK, folder=tmp_path / "rows")
    assert not list((tmp_path / "rows").iterdir())


def _dataset_without(folder: Path) -> datasets.Dataset:
    rows = [{"q": "?", "options": ["x", "y"], "a": 0, "image": str(folder / "2.png")}]
    return datasets.Dataset.from_list(rows).cast_column("image", datasets.Image())
