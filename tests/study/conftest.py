"""Two small runs of one task of documents, and of one that edits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image as pil

from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec

PLUGIN = Path(__file__).with_name("writers.py")
TOPICS = ("tea", "bread", "rain")


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """`writer-one` and `writer-two` on 24 documents: 12 of tea, 8 of bread, 4 of rain."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "images").mkdir()
    pil.new("RGB", (20, 20), "green").save(folder / "images/true.jpg")
    topics = [topic for topic, count in zip(TOPICS, (12, 8, 4), strict=True) for _ in range(count)]
    rows = [
        {
            "id": f"d{i}", "instruction": f"{topic} number {i}", "topic": topic, "text_list": [f"True {i}."],
            "image_info": [{"image_name": "true.jpg", "matched_text_index": 0}],
        }
        for i, topic in enumerate(topics)
    ]  # fmt: skip
    (folder / "documents.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = []
    for name in ("writer-one", "writer-two"):
        documents = TaskSpec(name="documents", data=folder, options={"metrics": "form,num_images"})
        edits = TaskSpec(name="mini-magicbrush", options={"metrics": "L1,edit_success", "subset": "6"})
        spec = RunSpec(model=ModelSpec(name=name), tasks=(documents, edits), plugins=(PLUGIN,))
        outcome = run(spec, folder / name)
        assert outcome is not None
        found.append(folder / name)
    return found
