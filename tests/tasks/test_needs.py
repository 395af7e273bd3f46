"""Benchmarks that need several capabilities: the file, listings, refusals, suites, a run, stored runs."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from evalsuite.errors import SpecError
from evalsuite.registry import Registry, load_registry
from evalsuite.running import run
from evalsuite.running.builder import Asked, RunFile, plan
from evalsuite.running.resolving import resolve
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from evalsuite.task import Metric, TaskInfo
from evalsuite.task.benchmark import load
from evalsuite.task.entry import TaskOptions
from tests.tasks.test_benchmark import declare

OWN: dict[str, Any] = {
    "name": "own-images",
    "title": "Questions about the model's own images",
    "family": "own_images",
    "version": 1,
    "split": "test",
    "licence": "CC0",
    "home": "https://example.org",
    "needs": ["image", "text"],
    "metrics": [{"name": "accuracy", "scale": 100, "headline": True}],
    "sources": [{"reader": "prompts", "files": {"prompts": "prompts.json"}}],
    "protocols": {
        "plain": {
            "template": "{own}What is shown?",
            "decoding": {"image": {"count": 2}, "text": {"max_new_tokens": 4}},
        }
    },
}

FAMILY = '''
import json
from evalsuite.task import FamilyTask, Sample, Scores, mean_statistics, row_of

class OwnImages(FamilyTask):
    """The model draws the prompt twice and then says what its images show."""

    def _samples(self):
        for prompt in json.loads(self.plan.source.path("prompts").read_text()):
            yield Sample(prompt, prompt)

    def request(self, sample, earlier=()):
        if not earlier:
            return self.plan.request({"prompt": sample.record}, template="{prompt}", capability="image")
        if len(earlier) == 1:
            return self.plan.request({"own": earlier[0].images})
        return None

    def target(self, sample):
        return sample.record

    def score(self, answered):
        rows = [row_of(one)({"accuracy": float(self.answer(one) == one.sample.record)}) for one in answered]
        return Scores(rows, mean_statistics(self.plan.benchmark.metric("accuracy"), rows))

def build(plan):
    return OwnImages(plan)
'''

PLUGIN = '''
import io
from pathlib import Path
from PIL import Image as pil
from evalsuite.content import Image
from evalsuite.model import ModelEntry, ModelInfo, Prepared
from evalsuite.request import ImageResponse, TextResponse
from evalsuite.task import SuiteEntry, TaskSpec, entries

class Painter:
    """Paints red for "red" and blue for all else, and knows the two."""
    def __init__(self, options):
        self.info = ModelInfo("painter", "v1")
    def prepare(self, request):
        return Prepared(request, request, cost=1)
    def generate_images(self, batch):
        found = []
        for one in batch:
            colour = (255, 0, 0) if one.request.messages[-1].text == "red" else (0, 0, 255)
            stream = io.BytesIO()
            pil.new("RGB", (8, 8), colour).save(stream, "PNG")
            found.append(ImageResponse((Image(stream.getvalue()),) * one.request.output.count))
        return found
    def generate_text(self, batch):
        said = []
        for one in batch:
            images = [pil.open(io.BytesIO(image.read())).getpixel((0, 0)) for image in one.request.images]
            assert len(images) == 2
            said.append(TextResponse("red" if images[0] == (255, 0, 0) else "blue"))
        return said

def models():
    can = {"both": ("image", "text"), "drawer": ("image",), "writer": ("text",)}
    return [ModelEntry(name, name, frozenset(what), Painter) for name, what in can.items()]

def tasks():
    return entries(Path(__file__).parent)

def suites():
    both = (TaskSpec(name="own-images"), TaskSpec(name="little-vqa"))
    return [SuiteEntry("own", "own images and another", both)]
'''


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "own-images.yaml").write_text(yaml.safe_dump(OWN, sort_keys=False))
    (plugins / "own_images.py").write_text(FAMILY)
    (plugins / "painter.py").write_text(PLUGIN)
    declare(plugins)
    data = tmp_path / "data" / "own-images"
    data.mkdir(parents=True)
    (data / "prompts.json").write_text('["red", "blue", "green"]')
    monkeypatch.setenv("EVALSUITE_DATA", str(tmp_path / "data"))
    return load_registry([plugins / "painter.py"])


def spec(model: str) -> RunSpec:
    return RunSpec(model=ModelSpec(name=model), tasks=(TaskSpec(name="own-images"),))


@pytest.mark.slow
def test_a_task_draws_and_then_asks_about_its_own_images(tmp_path: Path, registry: Registry) -> None:
    assert registry.task("own-images").needs == ("text", "image")
    outcome = run(spec("both"), tmp_path / "run", registry=registry)
    assert (outcome.failed, outcome.missing, outcome.scoring_errors) == (0, 0, {})
    with RunReader(tmp_path / "run") as stored:
        (result,) = stored.metrics()
        assert result.info.needs == ("text", "image")
        assert result.info.generates_images
        assert [number.value for number in result.numbers() if not number.group] == [pytest.approx(2 / 3)]


def test_a_task_whose_family_lies_beside_its_file_arrives_in_a_fresh_process(
    tmp_path: Path, registry: Registry
) -> None:
    task = registry.task("own-images").build(TaskOptions())
    sent = tmp_path / "task.pickle"
    sent.write_bytes(pickle.dumps((task, [*task.samples()])))
    program = (
        "import pickle, pathlib, sys\n"
        "task, samples = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print([task.request(sample).messages[-1].text for sample in samples])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(sent)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "['red', 'blue', 'green']", done.stderr


@pytest.mark.parametrize(("model", "missing"), [("drawer", "text"), ("writer", "image")])
def test_a_model_that_lacks_one_of_them_is_refused_before_anything_is_loaded(
    registry: Registry, model: str, missing: str
) -> None:
    with pytest.raises(SpecError, match=rf"cannot do what these tasks need: own-images \({missing}\)"):
        resolve(spec(model), registry)


def test_a_suite_leaves_out_what_a_model_lacks(tmp_path: Path, registry: Registry) -> None:
    def planned(model: str) -> tuple[list[str], tuple[str, ...]]:
        (one,), _ = plan(Asked(suite="own", models=(model,), out=tmp_path / model), RunFile(), registry)
        return [task.name for task in one.spec.tasks], one.left_out

    assert planned("both") == (["own-images", "little-vqa"], ())
    assert planned("writer") == (["little-vqa"], ("own-images",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"needs": "image"}, "needs: a list of capabilities, such as"),
        ({"needs": []}, "needs: a list of capabilities, such as"),
        ({"needs": ["image", "smell"]}, r"needs\.1: "),
        ({"capability": "edit"}, "the capability 'edit' is not among image, text"),
        ({"needs": ["text"]}, r"decoding: .*unexpected keyword argument 'image'"),
        (
            {"protocols": {"plain": {"template": "{own}", "decoding": {"max_new_tokens": 4}}}},
            "'max_new_tokens' is none of text, image",
        ),
        (
            {"protocols": {"plain": {"template": "{own}", "decoding": {"image": {"sides": 4}}}}},
            r"decoding\.image: .*'sides'",
        ),
    ],
)
def test_a_malformed_set_of_needs_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "own-images.yaml"
    path.write_text(yaml.safe_dump({**OWN, **changes}, sort_keys=False))
    with pytest.raises(SpecError, match=message):
        load(path)


def test_one_capability_is_the_set_of_itself(tmp_path: Path) -> None:
    benchmark = load(declare(tmp_path))
    assert (benchmark.capability, benchmark.needs) == ("text", ("text",))


def test_what_version_0_1_stored_needs_its_one_capability() -> None:
    stored = {
        "name": "t", "version": "1", "capability": "edit", "split": "s", "protocol": "p", "rules": "official",
        "metrics": [{"name": "accuracy"}], "title": "", "source": "", "judge": "",
    }  # fmt: skip
    info = TypeAdapter(TaskInfo).validate_python(json.loads(json.dumps(stored)))
    assert info.needs == ("edit",)
    assert info == TaskInfo("t", "1", "edit", "s", "p", "official", (Metric("accuracy"),))
