"""InstructPix2Pix, Emu Edit and PIE-Bench: their official layouts, their measures, what is left out."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.content import Image, Text
from evalsuite.data.images import decode
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.features import NetworkSpec, load_network, load_pair_network
from evalsuite.metrics.images import decode_mask, edit_similarity
from evalsuite.request import GenerateImages
from evalsuite.task import Sample, Task
from evalsuite.task.entry import TaskOptions
from tests.features.networks import write_clip, write_dino, write_lpips
from tests.goldens import golden_dir, load_json
from tests.tasks.asking import write_json, write_table
from tests.tasks.image_files import ENTRIES, build, drawn, failures, flat, png, values


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


def noise(seed: int, side: int = 20) -> pil.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return pil.fromarray(pixels)


# InstructPix2Pix


def pix2pix(folder: Path, prompts: int = 40) -> Path:
    """The official layout with so many prompts, of which the last 5 % are the test split."""
    write_json(folder / "seeds.json", [[f"{i:07d}", [f"{i}7", "5"]] for i in range(prompts)])
    for i in range(prompts):
        place = folder / f"{i:07d}"
        texts = {"input": "a red circle", "edit": f"make it number {i}", "output": "a blue circle"}
        write_json(place / "prompt.json", texts)
        for k in (0, 1):
            noise(10 * i + k).save(place / f"{i}7_{k}.jpg")
    return folder


def test_the_test_split_is_the_last_twentieth_and_pairs_are_those_of_the_first_seed(
    tmp_path: Path, clip: Path
) -> None:
    task = build("instructpix2pix", pix2pix(tmp_path), weights=f"clip={clip}")
    samples = list(task.samples())
    assert [s.id for s in samples] == ["0000038", "0000039"]
    request = task.request(samples[0])
    assert request is not None
    turn = samples[0].record.last
    assert request.messages[0].parts == (turn.source, Text("make it number 38"))
    assert request.output == GenerateImages(width=20, height=20, steps=100, guidance_scale=7.5)
    assert turn.source.name == "0000038/387_0.jpg"
    assert task.target(samples[0])["source_description"] == "a red circle"


@pytest.mark.parametrize(("rules", "shift"), [("official", 0.0), ("compute-metrics", 1.0)])
def test_the_four_similarities_are_those_of_the_official_formula(
    tmp_path: Path, clip: Path, rules: str, shift: float
) -> None:
    options = TaskOptions(rules=rules, data=pix2pix(tmp_path), options={"weights": f"clip={clip}"})
    task = ENTRIES["instructpix2pix"].build(options)
    samples = list(task.samples())
    made = [noise(90), noise(91)]
    scores = task.score([drawn(s, png(m)) for s, m in zip(samples, made, strict=True)])
    net: Any = load_network(NetworkSpec("clip", str(clip), "tensor-bicubic"), "cpu")
    for sample, row, picture in zip(samples, scores.rows, made, strict=True):
        pair = [_embedded(net, p, shift) for p in (decode(sample.record.last.source), picture)]
        expected = edit_similarity(*pair, *net.texts(["a red circle", "a blue circle"]))
        assert row.values == pytest.approx(
            {
                "sim_0": expected.before,
                "sim_1": expected.after,
                "sim_direction": expected.direction,
                "sim_image": expected.image,
            },
            abs=1e-5,
        )


def _embedded(net: Any, picture: pil.Image, shift: float) -> np.ndarray:
    """CLIP's features of pixels in [0, 1], or, with `shift` 1, of the same pixels brought to [-1, 1]."""
    import torch

    pixels = torch.from_numpy(np.array(picture, dtype=np.float32) / 255).permute(2, 0, 1)[None]
    pixels = pixels * (1 + shift) - shift
    small = torch.nn.functional.interpolate(pixels, (16, 16), mode="bicubic", align_corners=False)
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (net._geometry.mean, net._geometry.std))
    with torch.no_grad():
        pooled = net._model.vision_model(pixel_values=(small - mean) / std).pooler_output
        return net._model.visual_projection(pooled)[0].numpy()


def test_a_copy_of_the_source_has_no_direction(tmp_path: Path, clip: Path) -> None:
    task = build("instructpix2pix", pix2pix(tmp_path), weights=f"clip={clip}")
    found = values(task.score([drawn(s, s.record.last.source) for s in task.samples()]))
    assert found["sim_image"] == pytest.approx(1)
    assert found["sim_direction"] == pytest.approx(0, abs=1e-6)


def test_malformed_seeds_and_prompts_are_refused_by_place(tmp_path: Path, clip: Path) -> None:
    folder = pix2pix(tmp_path)
    (folder / "0000039/prompt.json").write_text("{}")
    with pytest.raises(DataError, match=r"0000039/prompt.json has no field 'input'"):
        list(build("instructpix2pix", folder, weights=f"clip={clip}").samples())
    write_json(folder / "seeds.json", [["a", []]])
    with pytest.raises(DataError, match="entry 0"):
        list(build("instructpix2pix", folder, weights=f"clip={clip}").samples())
    write_json(folder / "seeds.json", [["../../outside", ["1"]]])
    with pytest.raises(DataError, match="would leave the data folder"):
        list(build("instructpix2pix", folder, weights=f"clip={clip}").samples())


# Emu Edit


def emu(folder: Path) -> Path:
    captions = [
        ("a dog", "a cat"),
        ("a dog", "a dog"),
        ("a train station in city", "a train"),
        ("a bus", "a red bus"),
    ]
    rows = [
        {
            "idx": i, "instruction": f"do {i}" if i != 3 else " ", "task": "local" if i % 2 else "style",
            "image": {"bytes": png(noise(i)).read(), "path": None}, "split": "test", "hash": f"{i:x}",
            "input_caption": before, "output_caption": after,
        }
        for i, (before, after) in enumerate(captions)
    ]  # fmt: skip
    write_table(folder / "data/test-00000-of-00001.parquet", rows)
    return folder


def emu_task(folder: Path, clip: Path, protocol: str | None = None) -> Task:
    dino = write_dino(folder / "dino")
    return build("emu-edit", folder, protocol, weights=f"clip={clip},dino={dino}")


def test_rows_without_usable_captions_are_left_out_by_name_and_counted(tmp_path: Path, clip: Path) -> None:
    task = emu_task(emu(tmp_path), clip)
    samples = list(task.samples())
    assert [s.id for s in samples] == ["0", "3"]
    scores = task.score([drawn(s, flat(size=(20, 20))) for s in samples])
    assert scores.details["excluded"] == {"identical-captions": 1, "placeholder-captions": 1}
    everything = emu_task(tmp_path, clip, "all-rows")
    assert [s.id for s in everything.samples()] == ["0", "1", "2", "3"]
    assert "excluded" not in everything.score([]).details


def test_emu_edits_columns_are_held_against_the_input_and_the_captions(tmp_path: Path, clip: Path) -> None:
    task = emu_task(emu(tmp_path), clip, "all-rows")
    sample = next(iter(task.samples()))
    made = noise(77, 31)
    row = task.score([drawn(sample, png(made))]).rows[0]
    net: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    source = decode(sample.record.last.source)
    expected = edit_similarity(*net.images([source, made]), *net.texts(["a dog", "a cat"]))
    assert row.values["CLIPdir ViT-B/32"] == pytest.approx(expected.direction, abs=1e-5)
    assert row.values["CLIPim ViT-B/32"] == pytest.approx(expected.image, abs=1e-5)
    assert row.values["CLIPout ViT-B/32"] == pytest.approx(expected.after, abs=1e-5)
    difference = np.asarray(made.resize((20, 20)), float) - np.asarray(source, float)
    assert row.values["L1"] == pytest.approx(np.abs(difference).mean() / 255, abs=1e-6)
    assert row.labels["type"] == "style"


def test_data_without_accepted_results_have_no_answer_of_their_own(tmp_path: Path, clip: Path) -> None:
    task: Any = emu_task(emu(tmp_path), clip)
    assert task.reference_answer(next(iter(task.samples()))) is None


def test_an_edit_without_an_instruction_is_its_samples_failure(tmp_path: Path, clip: Path) -> None:
    task = emu_task(emu(tmp_path), clip)
    with pytest.raises(SampleError, match="Edit 3 has no instruction"):
        task.request(list(task.samples())[1])


# PIE-Bench


def generators() -> Any:
    sys.path.insert(0, str(golden_dir("oracles")))
    try:
        import generators
    finally:
        sys.path.pop(0)
    return generators


def pie(folder: Path, rows: list[tuple[pil.Image, list[int]]]) -> Path:
    items = {}
    for i, (source, mask) in enumerate(rows):
        name = f"{i % 10}_kind/{i:012d}.png"
        (folder / "annotation_images" / name).parent.mkdir(parents=True, exist_ok=True)
        source.save(folder / "annotation_images" / name)
        items[f"{i:012d}"] = {
            "image_path": name, "original_prompt": "a [red] circle", "editing_prompt": "a [blue] circle",
            "editing_instruction": "make it blue", "editing_type_id": str(i % 10), "blended_word": "red blue",
            "mask": mask,
        }  # fmt: skip
    write_json(folder / "mapping_file.json", items)
    return folder


PIXELS = "PSNR,MSE,SSIM"


@pytest.mark.slow
def test_background_preservation_is_the_official_programs(tmp_path: Path) -> None:
    rows = load_json("oracles", "editing_cases.json.gz")["piebench"]["rows"][:8]
    make = generators().edit_image
    sources = [make(*row[0]) for row in rows]
    folder = pie(tmp_path, [(source, row[3]) for source, row in zip(sources, rows, strict=True)])
    task = build("pie-bench", folder, metrics=PIXELS)
    samples = list(task.samples())
    answers = []
    for sample, source, row in zip(samples, sources, rows, strict=True):
        edited = make(*row[1])
        answers.append(drawn(sample, png(pil.blend(source, edited, 0.1) if row[2] else edited)))
    scores = task.score(answers)
    checked = 0
    for row, scored in zip(rows, scores.rows, strict=True):
        assert not scored.failure
        for name in ("psnr", "mse", "ssim"):
            official = float(row[5][f"{name}_unedit_part"])
            if not math.isfinite(official):
                assert name.upper() not in scored.values or name != "psnr"
                continue
            assert scored.values[name.upper()] == pytest.approx(official, rel=1e-6, abs=1e-6)
            checked += 1
    assert checked > 15
    assert {"MSE type=random", "MSE type=change material"} <= set(values(scores))


@pytest.mark.slow
def test_the_networks_see_the_kept_region_and_black(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    write_lpips(weights, "squeeze")
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(weights))
    dino = write_dino(tmp_path / "dino")
    source, edited, runs = noise(1, 512), noise(2, 512), [512 * 100, 512 * 50]
    folder = pie(tmp_path, [(source, runs), (source, [0, 512 * 512])])
    found: dict[str, dict[str, float]] = {}
    everything: Any = None
    columns: dict[str, dict[str, str]] = {
        "official": {},
        "scaled": {"metrics": "structure distance,CLIP edited"},
    }
    for rules, chosen in columns.items():
        given = {"weights": f"clip={clip},structure={dino}", **chosen}
        task = ENTRIES["pie-bench"].build(TaskOptions(rules=rules, data=folder, options=given))
        samples = list(task.samples())[: 2 if rules == "official" else 1]
        one, *rest = task.score([drawn(s, png(edited)) for s in samples]).rows
        found[rules] = dict(one.values)
        everything = rest[0] if rest else everything
    mask = decode_mask(runs)[..., None]
    keep = [np.asarray(p) * (1 - mask) for p in (edited, source)]
    lpips = load_pair_network(NetworkSpec("lpips", "squeeze", "torchmetrics"), "cpu")
    (expected,) = lpips.distances(*([pil.fromarray(k.astype(np.uint8))] for k in keep))
    assert found["official"]["LPIPS"] == pytest.approx(expected, rel=1e-5)
    for rules, preprocess in (("official", "unscaled"), ("scaled", "scaled")):
        structure = load_pair_network(NetworkSpec("structure", str(dino), preprocess), "cpu")
        (expected,) = structure.distances([edited], [source])
        assert found[rules]["structure distance"] == pytest.approx(expected, rel=1e-5)
    net: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    text = net.texts(["a blue circle"])[0]
    for name, picture in (("whole", edited), ("edited", pil.fromarray(np.asarray(edited) * mask))):
        features = net.images([picture])[0]
        cosine = features @ text / np.linalg.norm(features) / np.linalg.norm(text)
        assert found["official"][f"CLIP {name}"] == pytest.approx(max(100 * cosine, 0), abs=1e-3)
    # Where all is to be edited, the background has no values, and the rest has.
    assert set(everything.values) == {"structure distance", "CLIP whole", "CLIP edited"}


def test_an_untouched_background_has_an_infinite_psnr_that_no_mean_takes_in(tmp_path: Path) -> None:
    task = build("pie-bench", pie(tmp_path, [(noise(1, 512), []), (noise(2, 512), [])]), metrics=PIXELS)
    samples = list(task.samples())
    rows = task.score([drawn(samples[0], samples[0].record.last.source), drawn(samples[1], flat())]).rows
    assert rows[0].values == pytest.approx({"MSE": 0, "SSIM": 1})
    assert rows[1].values["PSNR"] < 20


def test_prompt_driven_models_are_given_the_description_without_its_marks(tmp_path: Path) -> None:
    folder = pie(tmp_path, [(noise(1, 512), [])])
    asked = {}
    for protocol in ("instruction", "target-prompt"):
        task = build("pie-bench", folder, protocol, metrics=PIXELS)
        request = task.request(next(iter(task.samples())))
        assert request is not None
        asked[protocol] = request.messages[0].text
    assert asked == {"instruction": "make it blue", "target-prompt": "a blue circle"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mask": None}, "field 'mask' is NoneType"),
        ({"mask": [1, 2, 3]}, "pairs of start and length"),
        ({"mask": [1, -2]}, "pairs of start and length"),
        ({"editing_type_id": "11"}, "no editing type '11'"),
        ({"image_path": "/etc/passwd"}, "would leave the data folder"),
    ],
)
def test_malformed_items_are_refused_by_name(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    folder = pie(tmp_path, [(noise(1, 64), [])])
    path = folder / "mapping_file.json"
    items = json.loads(path.read_text())
    items["000000000000"] |= change
    write_json(path, items)
    with pytest.raises(DataError, match=f"{said}"):
        list(build("pie-bench", folder, metrics=PIXELS).samples())


def test_images_of_another_size_are_fitted_or_refused(tmp_path: Path) -> None:
    folder = pie(tmp_path, [(noise(1, 512), []), (noise(2, 64), []), (noise(3, 512), [])])
    task = build("pie-bench", folder, metrics=PIXELS)
    samples: list[Sample] = list(task.samples())
    samples[2].record.last.source.path.write_bytes(b"no picture")
    scores = task.score([drawn(s, flat(size=(40, 30))) for s in samples])
    assert set(scores.rows[0].values) == {"PSNR", "MSE", "SSIM"}
    said = failures(scores)
    assert "64 × 64 pixels, its mask of 512 × 512" in said[samples[1].id]
    assert "not an image" in said[samples[2].id]


def test_a_rule_or_formula_that_is_not_known_is_refused(tmp_path: Path) -> None:
    import evalsuite_tasks
    import yaml

    from evalsuite.task import benchmark

    path = Path(evalsuite_tasks.__file__).parent / "edit/emu-edit.yaml"
    for change, said in (
        ({"exclude": {}}, "no rule 'placeholder-captions'"),
        ({"rules": {"official": {"dina": "openai"}}}, "names a network 'dina'"),
    ):
        value = yaml.safe_load(path.read_text())
        value["settings"] |= change
        (tmp_path / "b.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
        with pytest.raises(SpecError, match=said):
            benchmark.build(benchmark.load(tmp_path / "b.yaml"), TaskOptions(data=emu(tmp_path), options={}))


def test_a_benchmark_without_masks_cannot_have_regions(tmp_path: Path) -> None:
    image: Image = flat()
    task = build("pie-bench", pie(tmp_path, [(noise(1, 512), [])]), metrics=PIXELS)
    sample = next(iter(task.samples()))
    turn = sample.record.last
    bare = Sample(sample.id, type(sample.record)(sample.id, (type(turn)(1, "x", turn.source),)))
    assert "no mask" in task.score([drawn(bare, image)]).rows[0].failure
