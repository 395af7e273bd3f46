"""GenEval through its task: prompts, detections from a file, a plugin or pixels, colours, verdicts, the
overall mean of tags."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import evalsuite_tasks
import numpy as np
import pytest
from evalsuite_tasks.geneval.colors import ColorClassifier
from evalsuite_tasks.geneval.detectors import Found, MiniWorldDetector, load_detector
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.errors import DataError, EvalsuiteError, SampleError, SpecError
from evalsuite.features import NetworkSpec, load_network
from evalsuite.metrics.geneval import COLORS, Detection
from evalsuite.mini.formats.geneval import composition_rows
from evalsuite.mini.render import render
from evalsuite.mini.world import Scene, Thing
from evalsuite.request import GenerateImages, TextResponse
from evalsuite.task import Answered, Task
from tests.features.networks import write_clip
from tests.tasks.asking import wording
from tests.tasks.image_files import build, drawn, failures, flat, png, values

CAT = {"class": "cat", "count": 1}
TWO = {"include": [{"class": "cat", "count": 2}], "exclude": [{"class": "cat", "count": 3}]}
PROMPTS = [
    {"tag": "single_object", "include": [CAT], "prompt": "a photo of a cat"},
    {"tag": "colors", "include": [CAT | {"color": "red"}], "prompt": "a photo of a red cat"},
    {"tag": "counting", **TWO, "prompt": "a photo of two cats"},
]


class CatDetector:
    """Finds a cat in every image that is not black, with a mask of its left half."""

    name = "cats 1.0"
    tells_colors = False

    def detect(self, image: Image, picture: pil.Image) -> Mapping[str, Sequence[Found]]:
        if not np.asarray(picture).any():
            return {}
        mask = np.zeros((picture.height, picture.width), dtype=bool)
        mask[:, : picture.width // 2] = True
        return {"cat": [Found(Detection((0, 0, picture.width, picture.height), 0.95), mask)]}


def not_a_detector() -> object:
    return object()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


def data(folder: Path, prompts: Sequence[Mapping[str, Any]] = PROMPTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation_metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    return folder


def four(value: int) -> tuple[Image, ...]:
    """Four different images."""
    return tuple(flat(value + k) for k in range(4))


def detections(path: Path, found: Sequence[tuple[Image, Mapping[str, Sequence[Sequence[Any]]]]]) -> Path:
    rows = [{"image": image.sha256(), "detections": seen} for image, seen in found]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# The miniature


def thing(shape: str, colour: str, x: float, y: float) -> Thing:
    return Thing(shape, colour, "small", x, y, 8.0)


def scene(*things: Thing) -> Image:
    return png(pil.fromarray(render(Scene(things, (250, 250, 250)))))


def mini_sample(task: Task, tag: str, **wanted: Any) -> Any:
    for sample in task.samples():
        include = sample.record.metadata["include"]
        if sample.labels["tag"] == tag and all(include[-1].get(k) == v for k, v in wanted.items()):
            return sample
    raise AssertionError(f"no prompt of {tag} with {wanted}")


def test_the_minitatures_prompts_are_those_of_its_generator() -> None:
    path = Path(evalsuite_tasks.__file__).parent / "geneval/mini/evaluation_metadata.jsonl"
    assert [json.loads(line) for line in path.read_text().splitlines()] == composition_rows()


def test_the_exact_detector_judges_by_the_official_rules() -> None:
    task = build("mini-geneval", Path(evalsuite_tasks.__file__).parent / "geneval/mini")
    position = mini_sample(task, "position")
    target, placed = position.record.metadata["include"]
    words = position.record.prompt.split()
    colours = {words[2]: words[1], words[-1]: words[-2]}
    ways = {"left of": (16, 32), "right of": (48, 32), "above": (32, 16), "below": (32, 48)}
    x, y = ways[placed["position"][0]]
    right = scene(
        thing(placed["class"], colours[placed["class"]], x, y),
        thing(target["class"], colours[target["class"]], 64 - x, 64 - y),
    )
    wrong = scene(
        thing(placed["class"], colours[placed["class"]], 64 - x, 64 - y),
        thing(target["class"], colours[target["class"]], x, y),
    )
    two = mini_sample(task, "counting", count=2)
    shape = two.record.metadata["include"][0]["class"]
    pair = [thing(shape, "red", 16, 16), thing(shape, "blue", 48, 48)]
    scores = task.score(
        [
            drawn(position, right, right, wrong, flat(245, (64, 64))),
            drawn(
                two, scene(*pair), scene(*pair, thing(shape, "green", 16, 48)), scene(pair[0]), scene(*pair)
            ),
        ]
    )
    first, second = scores.rows
    assert (first.values["position"], first.values["prompts"], second.values["counting"]) == (0.5, 1, 0.5)
    assert f"expected {placed['class']} {placed['position'][0]} target" in first.parsed
    assert f"image 2: expected {shape}<3, found 3" in second.parsed
    assert scores.details["detector"] == "mini-world pixels"


def test_a_box_of_the_exact_detector_is_the_things_own() -> None:
    picture = pil.fromarray(render(Scene((thing("square", "red", 20, 40),), (250, 250, 250))))
    (found,) = MiniWorldDetector().detect(png(picture), picture.resize((512, 512)))["square"]
    np.testing.assert_allclose(found.detection.box, (12.9, 32.9, 27.1, 47.1), atol=1.2)
    assert found.detection.color == "red"


# A file of detections


def test_prompts_are_asked_four_times_in_official_order(tmp_path: Path) -> None:
    task = build("geneval", data(tmp_path))
    samples = list(task.samples())
    assert [s.id for s in samples] == ["00000", "00001", "00002"]
    request = task.request(samples[1])
    assert request is not None
    assert wording(request) == "a photo of a red cat"
    assert isinstance(request.output, GenerateImages)
    assert request.output.count == 4
    assert task.target(samples[0]) == PROMPTS[0]


def test_detections_of_a_file_are_judged_and_the_overall_is_the_mean_of_tags(tmp_path: Path) -> None:
    images = [four(10), four(60), four(110)]
    cat, sure = [0, 0, 9, 9, 0.5], [20, 20, 29, 29, 0.95]
    found = [
        *((image, {"cat": [[*cat, "blue"]]}) for image in images[0][:3]),
        (images[0][3], {"dog": [[*cat, "blue"]]}),
        *((image, {"cat": [[*cat, "red"]]}) for image in images[1][:1]),
        *((image, {"cat": [[*cat, "blue"]]}) for image in images[1][1:]),
        *((image, {"cat": [[*sure, "red"], [*sure, "red"], [*cat, "red"]]}) for image in images[2]),
    ]
    path = detections(tmp_path / "found.jsonl", found)
    task = build("geneval", data(tmp_path), detections=str(path))
    samples = list(task.samples())
    scores = task.score([drawn(s, *group) for s, group in zip(samples, images, strict=True)])
    # In counting the unsure third cat does not count.
    told = values(scores)
    assert [told[name] for name in ("single_object", "colors", "counting")] == [0.75, 0.25, 1]
    assert told["overall"] == told["images"] == pytest.approx(2 / 3)
    assert told["prompts"] == 1
    assert "expected red cat>=1, found 0 red; and 1 blue" in scores.rows[1].parsed
    twice = task.score([drawn(s, *images[0]) for s in (samples[0],) * 3] + [drawn(samples[1], *images[1])])
    assert values(twice)["overall"] == pytest.approx((0.75 + 0.25) / 2)
    assert values(twice)["images"] == pytest.approx((3 * 0.75 + 0.25) / 4)


def test_images_are_drawn_without_detections_and_scored_when_they_are_there(tmp_path: Path) -> None:
    task = build("geneval", data(tmp_path))
    sample = next(task.samples())
    images = four(10)
    before = task.score([drawn(sample, *images)])
    assert "put detections.jsonl beside the prompts" in before.missing["overall"]
    assert not failures(before)
    detections(tmp_path / "detections.jsonl", [(i, {"cat": [[0, 0, 9, 9, 0.9, "red"]]}) for i in images])
    after = build("geneval", data(tmp_path))
    assert values(after.score([drawn(sample, *images)]))["overall"] == 1
    assert after.fingerprint() == task.fingerprint()


def test_images_that_the_file_does_not_know_and_foreign_answers_are_failures(tmp_path: Path) -> None:
    images = four(10)
    path = detections(tmp_path / "found.jsonl", [(images[0], {})])
    task = build("geneval", data(tmp_path), detections=str(path))
    first, second, third = task.samples()
    said = failures(
        task.score(
            [
                drawn(first, *images),
                drawn(second, images[0]),
                Answered(third, (TextResponse("a cat"),)),
            ]
        )
    )
    assert "says nothing about the image" in said[first.id]
    assert said[second.id] == "expected 4 images, got 1"
    assert "TextResponse" in said[third.id]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"image": "ab"}', "has no image and detections"),
        ('{"image": "ab", "detections": {"cat": [[1, 2, 3, 4]]}}', "is not a detection"),
        ('{"image": "ab", "detections": {"cat": [[1, 2, 3, 4, "x"]]}}', "is not a detection"),
        ('{"image": "ab", "detections": {"cat": [[1, 2, 3, NaN, 0.5]]}}', "is not a detection"),
        ('{"image": "ab", "detections": {"cat": 5}}', "has no list of detections"),
        ('{"image": "ab", "detections": {"cat": [[1, 2, 3, 4, 0.5, "mauve"]]}}', "no colour 'mauve'"),
        ('{"image": "ab", "detections": {}}\n{"image": "ab", "detections": {}}', "occurs twice"),
    ],
)
def test_malformed_detections_are_refused_by_line(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match=said):
        build("geneval", data(tmp_path), detections=str(path))
    with pytest.raises(DataError, match="no file of detections"):
        build("geneval", data(tmp_path), detections=str(tmp_path / "absent.jsonl"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"include": [], "prompt": "x"}, "tag"),
        ({"include": [{"class": "cat"}]}, "count"),
        ({"include": [CAT | {"count": 0}]}, "not a number of objects"),
        ({"include": [CAT | {"color": "mauve"}]}, "no colour"),
        ({"include": [CAT | {"position": ["left of", 0]}]}, "is not a position"),
    ],
)
def test_malformed_prompts_are_refused_by_line(row: dict[str, Any], said: str, tmp_path: Path) -> None:
    whole = row if "prompt" in row else {"tag": "colors", "prompt": "x", **row}
    task = build("geneval", data(tmp_path, [PROMPTS[0], whole]))
    with pytest.raises(DataError, match=f"line 2.*{said}"):
        list(task.samples())


# A plugin, and colours by CLIP


def test_a_detector_plugin_finds_and_clip_tells_the_colours(tmp_path: Path, clip: Path) -> None:
    task = build(
        "geneval", data(tmp_path), detector="tests.tasks.test_geneval:CatDetector", weights=f"clip={clip}"
    )
    first, second, _ = task.samples()
    images = (flat(200), flat(90), flat(30), flat(0))
    scores = task.score([drawn(first, *images), drawn(second, *images)])
    assert values(scores)["single_object"] == 0.75
    network: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    told = []
    for value in (200, 90, 30):
        half = np.full((64, 64, 3), value, dtype=np.uint8)
        half[:, 32:] = 0x99  # outside the mask the crop is #999
        texts = [
            [f"a photo of a {c} cat", f"a photo of a {c}-colored cat", f"a photo of a {c} object"]
            for c in COLORS
        ]
        unit = [
            network.texts(group) / np.linalg.norm(network.texts(group), axis=1, keepdims=True)
            for group in texts
        ]
        classes = np.stack([group.mean(axis=0) / np.linalg.norm(group.mean(axis=0)) for group in unit])
        told.append(COLORS[int((classes @ network.images([pil.fromarray(half)])[0]).argmax())])
    assert scores.rows[1].values["colors"] == told.count("red") / 4
    assert scores.details["detector"] == "cats 1.0"
    assert scores.details["clip"]["sha256"] == network.fingerprint


@pytest.mark.parametrize("box", [(0.1, 0.1, 0.4, 0.4), (9, 0, 12, 4), (4, 4, 2, 2)])
def test_a_box_without_pixels_has_no_colour(box: tuple[float, float, float, float], clip: Path) -> None:
    network: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    with pytest.raises(SampleError, match="holds no pixel of its image, which has 8 × 8"):
        ColorClassifier(network).classify(pil.new("RGB", (8, 8)), "cat", [Found(Detection(box, 0.9))])


def test_the_colour_of_nothing_is_not_asked(clip: Path) -> None:
    network: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    assert ColorClassifier(network).classify(pil.new("RGB", (8, 8)), "cat", []) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mini-wrld", "Did you mean mini-world"),
        ("tests.tasks.test_geneval:nothing", "cannot be loaded"),
        ("no_such_module:make", "cannot be loaded"),
        ("tests.tasks.test_geneval:not_a_detector", "lacks name, tells_colors or detect"),
    ],
)
def test_unknown_detectors_are_refused(name: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_detector(name)


def test_absent_colour_weights_are_said_before_anything_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    task = build("geneval", data(tmp_path), detector="tests.tasks.test_geneval:CatDetector")
    first, *_ = task.samples()
    try:
        missing = task.score([drawn(first, *four(9))]).missing
    except EvalsuiteError as error:
        pytest.fail(f"the rest is not told: {error}")
    assert "weights fetch openai/clip-vit-large-patch14" in missing["overall"]
