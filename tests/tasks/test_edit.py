"""Editing: MagicBrush's turns and pairs as the official script has them, distances, likeness, exact truth."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as pil

from evalsuite.content import Image, Text
from evalsuite.data.images import decode
from evalsuite.errors import DataError, SampleError, SpecError, UnavailableError
from evalsuite.features import NetworkSpec, load_network
from evalsuite.request import GenerateImages, ImageResponse, Response, TextResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered, Sample, Task
from tests.features.networks import write_clip, write_dino
from tests.goldens import golden_dir, load_json
from tests.tasks.image_files import build, drawn, failures, flat, png, values, world

PIXELS = "L1,L2"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory.mktemp("world") / "w", captioned=4, edits=30)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


def mini(data: Path, protocol: str = "single-turn", clip: Path | None = None) -> Task:
    options = {"weights": f"clip={clip}"} if clip else {"metrics": "edit_success,objects,L1,L2"}
    return build("mini-magicbrush", data, protocol, **options)


def official(data: Path) -> Path:
    return data / "magicbrush/test"


def targets(samples: list[Sample]) -> list[Answered]:
    """The accepted result of every turn."""
    return [Answered(s, tuple(ImageResponse((t.target,)) for t in s.record.turns)) for s in samples]


def copies(samples: list[Sample]) -> list[Answered]:
    return [Answered(s, (ImageResponse((s.record.turns[0].source,)),) * len(s.record.turns)) for s in samples]


# Turns and pairs


def paired(folder: Path, names: dict[str, list[str]]) -> Path:
    """The oracle's sessions as a test folder: one image per name, made from nothing but its name."""
    sessions, local = {}, {}
    for key, files in names.items():
        outputs = sorted(name for name in files if "output" in name)
        inputs = [f"{key}-input.png", *outputs[:-1]]
        sessions[key] = [
            {"input": a, "mask": f"{key}-mask{k}.png", "output": b, "instruction": f"turn {k}"}
            for k, (a, b) in enumerate(zip(inputs, outputs, strict=True), start=1)
        ]
        local[key] = {name: f"what {name} shows" for name in outputs}
        (folder / "images" / key).mkdir(parents=True)
        for name in files:
            (folder / "images" / key / name).write_bytes(flat(sum(map(ord, name)) % 256, (20, 10)).read())
    (folder / "edit_sessions.json").write_text(json.dumps(sessions))
    (folder / "local_descriptions.json").write_text(json.dumps(local))
    return folder


@pytest.mark.parametrize(("protocol", "kind"), [("single-turn", "all_turn"), ("multi-turn", "final_turn")])
def test_what_is_held_against_what_is_the_official_scripts_pairing(
    tmp_path: Path, protocol: str, kind: str
) -> None:
    oracle = load_json("oracles", "editing_cases.json.gz")["magicbrush_pairs"]
    task = build("magicbrush", paired(tmp_path, oracle["gt"]), protocol, metrics=PIXELS)
    found = set()
    for sample in task.samples():
        edit = sample.record
        # How the official folder would name what the model gave.
        last = edit.last.number
        inde_or_iter = "inde" if protocol == "single-turn" else "iter"
        name = f"{edit.session}_1.png" if last == 1 else f"{edit.session}_{inde_or_iter}_{last}.png"
        found.add((f"gen/{edit.session}/{name}", f"gt/{edit.session}/{edit.last.target.name}"))
    assert found == {tuple(pair) for pair in oracle[kind]}


def test_single_turns_start_from_the_official_image_before_them(data: Path) -> None:
    task = mini(data)
    for sample in task.samples():
        (turn,) = sample.record.turns
        request = task.request(sample)
        assert request is not None
        assert request.messages[0].parts == (turn.source, Text(turn.instruction))
        before = "input" if turn.number == 1 else f"output{turn.number - 1}"
        assert turn.source.name == f"{sample.record.session}-{before}.png"
        assert request.output == GenerateImages(width=64, height=64)
        assert task.request(sample, [ImageResponse((flat(),))]) is None


def test_later_turns_of_a_session_edit_the_models_own_result(data: Path) -> None:
    task = mini(data, "multi-turn")
    sample = next(s for s in task.samples() if len(s.record.turns) == 2)
    first = task.request(sample)
    made = flat(7, (32, 48))
    second = task.request(sample, [ImageResponse((made,))])
    assert first is not None
    assert second is not None
    assert first.messages[0].parts[0] == sample.record.turns[0].source
    assert second.messages[0].parts == (made, Text(sample.record.turns[1].instruction))
    assert second.output == first.output
    assert task.request(sample, [ImageResponse((made,))] * 2) is None
    for lacking in (ImageResponse(()), TextResponse("no")):
        with pytest.raises(SampleError, match="turn 1 gave no image"):
            task.request(sample, [lacking])


def test_turns_of_a_session_are_one_cluster_and_ids_are_stable(data: Path) -> None:
    single, multi = (list(mini(data, p).samples()) for p in ("single-turn", "multi-turn"))
    assert len(single) == 30
    assert len(multi) == 30 - sum(len(s.record.turns) == 2 for s in multi)
    assert {s.cluster for s in single} == {s.id for s in multi}
    assert [s.id for s in single] == [f"{s.cluster}-{s.record.last.number}" for s in single]
    assert {s.labels["turns"] for s in single} == {"1", "2"}


def test_the_hubs_columns_give_the_same_edits_as_the_folder(data: Path, tmp_path: Path) -> None:
    folder = list(build("magicbrush", official(data), metrics=PIXELS).samples())

    def cell(image: Image) -> dict[str, Any]:
        return {"bytes": image.read(), "path": image.name}

    def row(sample: Sample) -> dict[str, Any]:
        turn = sample.record.last
        pictures = {"source_img": turn.source, "mask_img": turn.source, "target_img": turn.target}
        named = {"img_id": sample.record.session, "turn_index": turn.number, "instruction": turn.instruction}
        return named | {name: cell(image) for name, image in pictures.items()}

    rows = [row(sample) for sample in folder]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data/dev-00000-of-00001.parquet")
    hub = build("magicbrush", tmp_path, metrics=PIXELS)
    table = list(hub.samples())
    assert [s.id for s in table] == [s.id for s in folder]
    assert [(s.record.last.instruction, s.record.last.target.sha256()) for s in table] == [
        (s.record.last.instruction, s.record.last.target.sha256()) for s in folder
    ]
    answers = [(a, b) for a, b in zip(copies(folder), copies(table), strict=True)]
    assert values(hub.score([b for _, b in answers])) == pytest.approx(
        values(build("magicbrush", official(data), metrics=PIXELS).score([a for a, _ in answers]))
    )
    swapped = [row | {"turn_index": 2} for row in rows[:1]] + rows[1:]
    pq.write_table(pa.Table.from_pylist(swapped), tmp_path / "data/dev-00000-of-00001.parquet")
    with pytest.raises(DataError, match="turn 2 of session"):
        list(build("magicbrush", tmp_path, metrics=PIXELS).samples())


# Scores


def test_l1_and_l2_are_the_official_scripts(tmp_path: Path) -> None:
    sys.path.insert(0, str(golden_dir("oracles")))
    try:
        from generators import edit_image
    finally:
        sys.path.pop(0)
    rows = load_json("oracles", "editing_cases.json.gz")["magicbrush_distance"]["rows"]
    names = {str(i): [f"{i}-input.png", f"{i}-output1.png"] for i in range(len(rows))}
    paired(tmp_path, names)
    for i, (_, target, _, _) in enumerate(rows):
        edit_image(*target).save(tmp_path / f"images/{i}/{i}-output1.png")
    task = build("magicbrush", tmp_path, metrics=PIXELS)
    samples = list(task.samples())
    scores = task.score([drawn(s, png(edit_image(*row[0]))) for s, row in zip(samples, rows, strict=True)])
    for row, (_, _, l1, l2) in zip(scores.rows, rows, strict=True):
        assert row.values == pytest.approx({"L1": l1, "L2": l2}, abs=1e-6)
    assert values(scores)["L1"] == pytest.approx(np.mean([row[2] for row in rows]), abs=1e-6)


def test_likeness_to_result_and_description_is_the_networks_cosine(
    data: Path, clip: Path, tmp_path: Path
) -> None:
    dino = write_dino(tmp_path / "dino")
    task = build("magicbrush", official(data), weights=f"clip={clip},dino={dino}")
    samples = list(task.samples())[:6]
    answers = copies(samples)
    rows = task.score(answers).rows
    nets: dict[str, Any] = {"clip": load_network(NetworkSpec("clip", str(clip)), "cpu"),
                            "dino": load_network(NetworkSpec("dino", str(dino)), "cpu")}  # fmt: skip

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    for sample, row in zip(samples, rows, strict=True):
        turn = sample.record.last
        for name, key in (("CLIP-I ViT-B/32", "clip"), ("DINO ViT-S/16", "dino")):
            made, wanted = nets[key].images([decode(turn.source), decode(turn.target)]).astype(float)
            assert row.values[name] == pytest.approx(cosine(made, wanted), abs=1e-5)
        text = nets["clip"].texts([turn.description])[0]
        for name, picture in (("", turn.source), (" of the target", turn.target)):
            seen = nets["clip"].images([decode(picture)])[0]
            assert row.values[f"CLIP-T ViT-B/32{name}"] == pytest.approx(cosine(seen, text), abs=1e-5)


def test_the_accepted_results_are_perfect_and_a_copy_of_the_source_is_not(data: Path, clip: Path) -> None:
    for protocol in ("single-turn", "multi-turn"):
        task = mini(data, protocol, clip)
        samples = list(task.samples())
        best, copied = values(task.score(targets(samples))), values(task.score(copies(samples)))
        assert (best["edit_success"], best["objects"], best["L1"], best["L2"]) == (1, 1, 0, 0)
        assert best["miniCLIP-I"] == pytest.approx(1)
        assert copied["edit_success"] < 0.1
        assert copied["L1"] > 0
        assert {"edit_success kind=recolour", "edit_success kind=remove"} <= set(best)


def test_a_right_thing_in_the_wrong_place_or_too_many_is_no_right_result(data: Path) -> None:
    task = mini(data)
    samples = list(task.samples())
    moved = [
        drawn(s, png(decode(s.record.last.target).transpose(pil.Transpose.FLIP_LEFT_RIGHT))) for s in samples
    ]
    found = values(task.score(moved))
    assert found["objects"] > 0.9
    assert found["edit_success"] < 0.7


def test_intervals_resample_sessions(data: Path) -> None:
    task = mini(data)
    samples = list(task.samples())
    scores = task.score(copies(samples))
    (l1,) = [e for e in estimate(scores, resamples=50) if e.metric.name == "L1" and not e.group]
    assert f"over {len({s.cluster for s in samples})} clusters" in l1.method
    assert l1.low < l1.value < l1.high


# What cannot be scored


def test_broken_missing_and_foreign_results_are_failures_not_scores(data: Path, clip: Path) -> None:
    task = mini(data, "multi-turn", clip)
    samples = list(task.samples())
    answers = targets(samples)
    whole = samples[0].record.last.target.read()
    session = next(i for i, s in enumerate(samples) if len(s.record.turns) == 2)
    others = [i for i, s in enumerate(samples) if len(s.record.turns) == 1][:4]
    answers[session] = Answered(samples[session], answers[session].responses[:1])
    bad: tuple[Response, ...] = (
        ImageResponse((Image(whole[:60], name="cut"),)),
        ImageResponse(()),
        ImageResponse((flat(), flat())),
        TextResponse("done"),
    )
    for i, response in zip(others, bad, strict=True):
        answers[i] = Answered(samples[i], (response,))
    scores = task.score(answers)
    said = failures(scores)
    assert len(said) == 5
    assert said[samples[session].id] == "1 of 2 turns were answered"
    for i, part in zip(others, ("truncated", "got 0", "got 2", "TextResponse"), strict=True):
        assert part in said[samples[i].id]
    assert values(scores)["edit_success"] == 1


def test_a_result_that_one_network_does_not_take_lacks_that_networks_columns_alone(
    data: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dino = write_dino(tmp_path / "dino")
    task = build("magicbrush", official(data), weights=f"clip={clip},dino={dino}")
    samples = list(task.samples())[:5]
    answers = copies(samples)
    before = task.score(answers)
    answers[2] = drawn(samples[2], flat(90, (4, 200)))
    strict: Any = type(load_network(NetworkSpec("dino", str(dino)), "cpu"))
    prepare = strict.prepare

    def take(self: Any, image: pil.Image) -> Any:
        if image.height > 150:
            raise DataError(f"{image.height} pixels are too tall.")
        return prepare(self, image)

    monkeypatch.setattr(strict, "prepare", take)
    after = task.score(answers)
    assert failures(after) == {}
    for i, (row, was) in enumerate(zip(after.rows, before.rows, strict=True)):
        lost = {"DINO ViT-S/16"} if i == 2 else set()
        assert set(was.values) - set(row.values) == lost
        if i != 2:
            assert row.values == pytest.approx(was.values, abs=1e-6)
    assert "no DINO ViT-S/16: 200 pixels are too tall." in after.rows[2].parsed
    assert set(after.notes) == {"DINO ViT-S/16"}
    assert "without 1 of 5" in after.notes["DINO ViT-S/16"]
    assert "DINO ViT-S/16" not in task.score([answers[2]]).rows[0].values  # nothing is left for the network


def test_a_broken_source_or_target_is_its_samples_failure(data: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(data, tmp_path / "copy")
    task = mini(copy)
    samples = list(task.samples())
    samples[0].record.last.source.path.unlink()
    with pytest.raises(DataError, match=samples[0].record.last.source.name):
        task.request(samples[0])
    samples[1].record.last.source.path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        task.request(samples[1])
    answers = copies(samples[2:])
    samples[2].record.last.target.path.write_bytes(b"nothing")
    assert "not an image" in failures(task.score(answers))[samples[2].id]


def test_a_photograph_that_is_turned_by_exif_is_asked_for_as_it_is_stored(data: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(data, tmp_path / "copy")
    task = mini(copy)
    sample = next(iter(task.samples()))
    exif = pil.Exif()
    exif[274] = 6
    buffer = io.BytesIO()
    pil.new("L", (48, 32)).save(buffer, "JPEG", exif=exif)
    sample.record.last.source.path.write_bytes(buffer.getvalue())
    request = task.request(sample)
    assert request is not None
    assert (request.output.width, request.output.height) == (48, 32)  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_results_of_every_mode_and_size_are_scored(data: Path, clip: Path, mode: str) -> None:
    task = mini(data, clip=clip)
    samples = list(task.samples())[:4]
    kind = "TIFF" if mode == "CMYK" else "PNG"
    answers = [drawn(s, png(decode(s.record.last.target).convert(mode), kind)) for s in samples[:3]]
    scores = task.score([*answers, drawn(samples[3], flat(9, (1, 1)))])
    assert not failures(scores)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [], "has no turns"),
        (lambda rows: [{k: v for k, v in rows[0].items() if k != "instruction"}], "no field 'instruction'"),
        (lambda rows: [rows[0], rows[0] | {"input": "other.png"}], "starts from other.png"),
        (lambda rows: [rows[0] | {"input": "../../secret.png"}], "would leave the data folder"),
        (lambda rows: [rows[0] | {"output": "undescribed.png"}], "no field 'undescribed.png'"),
    ],
)
def test_malformed_sessions_are_refused_by_file_and_place(
    data: Path, tmp_path: Path, change: Any, said: str
) -> None:
    import shutil

    folder = shutil.copytree(official(data), tmp_path / "copy")
    path = folder / "edit_sessions.json"
    sessions = json.loads(path.read_text())
    key = next(iter(sessions))
    path.write_text(json.dumps({key: change(sessions[key])}))
    with pytest.raises(DataError, match=said):
        list(build("magicbrush", folder, metrics=PIXELS).samples())


def test_without_descriptions_the_text_column_is_missing_with_its_reason(
    data: Path, clip: Path, tmp_path: Path
) -> None:
    rows = [{"img_id": "1", "turn_index": 1, "source_img": {"bytes": flat().read(), "path": "a.png"},
             "instruction": "darker", "target_img": {"bytes": flat(90).read(), "path": "b.png"}}]  # fmt: skip
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data/dev-00000-of-00001.parquet")
    task = build("magicbrush", tmp_path, weights=f"clip={clip}", metrics="L1,CLIP-I ViT-B/32,CLIP-T ViT-B/32")
    scores = task.score(copies(list(task.samples())))
    assert scores.missing == {
        "CLIP-T ViT-B/32": "The source magicbrush-table has no descriptions of the results."
    }
    assert set(values(scores)) >= {"L1", "CLIP-I ViT-B/32"}


def test_the_headlines_weights_are_asked_for_before_anything_is_edited(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        UnavailableError,
        match=r"CLIP-I ViT-B/32 cannot be.*evalsuite weights fetch openai/clip-vit-base-patch32",
    ):
        build("magicbrush", official(data))
    assert build("magicbrush", official(data), metrics=PIXELS).info.headline.name == "L1"
    with pytest.raises(SpecError, match="no protocol 'iterative'"):
        build("magicbrush", official(data), protocol="iterative")
