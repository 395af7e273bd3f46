"""Folders of images in official layouts: in, out and in again; what is wrong with a folder is said."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import evalsuite_tasks
import numpy as np
import pytest
from PIL import Image as pil
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import DataError, SpecError, StoreError
from evalsuite.exchange import LAYOUTS, export_images, import_images
from evalsuite.exchange.exporting import IMAGES
from evalsuite.exchange.layouts.grids import make_grid, split_grid
from evalsuite.request import ImageResponse
from evalsuite.running.scoring import Scored
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader
from tests.data.image_files import encoded
from tests.features.networks import write_clip
from tests.judging.data import gedit, gedit_row
from tests.tasks.asking import write_json
from tests.tasks.test_creation_readers import genai
from tests.tasks.test_edit_judged import imgedit
from tests.tasks.test_geneval import PROMPTS, scene, thing
from tests.tasks.test_qa_alignment import dpg, dpg_answers, oneig
from tests.tasks.test_rubric import wise

SIDE = 16
STYLES = ("anime", "concept-art", "paintings", "photo")


@dataclass(frozen=True)
class Case:
    """A layout: a benchmark, its data, and the files that its official scorer reads of a model `m`."""

    form: str
    task: str
    data: Callable[[Path], Path]
    files: tuple[str, ...]
    beside: tuple[str, ...] = ()
    protocol: str | None = None

    def spec(self, data: Path) -> TaskSpec:
        options = {}
        if self.form == "mjhq":  # its distance needs a network that is not here
            clip = data.with_name("clip")
            options = {
                "metrics": "CLIPScore ViT-L/14",
                "weights": f"clip={clip if clip.exists() else write_clip(clip)}",
            }
        return TaskSpec(name=self.task, data=data, protocol=self.protocol, options=options)


def _geneval(folder: Path) -> Path:
    folder.mkdir()
    (folder / "evaluation_metadata.jsonl").write_text("\n".join(map(json.dumps, PROMPTS)))
    return folder


def _compbench(folder: Path) -> Path:
    folder.mkdir()
    rows = [
        {"id": n, "prompt": text, "questions": [{"id": 1, "text": "a cat?"}]}
        for n, text in enumerate(("a red cat", "a blue-green dog and a cup"))
    ]
    (folder / "color_questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def _unigenbench(folder: Path) -> Path:
    points = {"Testpoints": ["Style"], "Testpoint Description": ["ink"]}
    (folder / "data").mkdir(parents=True)
    with (folder / "data/test_prompts_en.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("index", "prompt_en", "sub_dims_en"), *((n, "ink", json.dumps(points)) for n in range(2))]
        )
    (folder / "eval/src").mkdir(parents=True)
    script = (
        "EXPLANATION_DICT_EN = {'Style': 'styles'}\n"
        "SYSTEM_PROMPT_EN_TEMPLATE = 'Prompt {prompt}; {testpoint}; {explanation}; {test_explanation}'\n"
        "LANG_CONFIGS = {'en': {'checkpoint_header': 'Means', 'checkpoint_desc_header': 'Here'}}\n"
    )
    (folder / "eval/src/eval_common.py").write_text(script)
    return folder


def _mjhq(folder: Path) -> Path:
    rows = {"ab": {"category": "animals", "prompt": "a cat"}, "cd": {"category": "art", "prompt": "ink"}}
    write_json(folder / "meta_data.json", rows)
    for key, row in rows.items():
        path = folder / f"mjhq30k_imgs/{row['category']}/{key}.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(encoded("JPEG"))
    return folder


def _hpsv2(folder: Path) -> Path:
    for style in STYLES:
        write_json(folder / f"benchmark/{style}.json", [f"{style} of a cat", f"{style} of ink"])
    return folder


def _gedit(folder: Path) -> Path:
    rows = [
        gedit_row("a", "color_alter", "make it red"),
        gedit_row("b", "ps_human", "older"),
        gedit_row("a", "color_alter", "弄红", language="cn"),
    ]
    return gedit(folder, rows)


def _imgedit(folder: Path) -> Path:
    folder.mkdir()
    return imgedit(folder, {"1": "add", "22": "remove"})


def _wise(folder: Path) -> Path:
    return wise(folder, (1, 401, 568))


CASES = [
    Case("dpg", "dpg-bench", dpg, ("a1.png", "b2.png")),
    Case(
        "geneval",
        "geneval",
        _geneval,
        tuple(f"{n:05}/samples/{i:05}.png" for n in range(3) for i in range(4)),
        tuple(f"{n:05}/metadata.jsonl" for n in range(3)),
    ),
    Case(
        "t2i-compbench",
        "t2i-compbench-color",
        _compbench,
        tuple(
            f"samples/{prompt}_{10 * n + i:06}.png"
            for n, prompt in enumerate(("a red cat", "a blue-green dog and a cup"))
            for i in range(10)
        ),
    ),
    Case("wise", "wise", _wise, ("1.png", "401.png", "568.png")),
    Case(
        "oneig",
        "oneig-alignment",
        oneig,
        tuple(f"images/{kind}/m/000.webp" for kind in ("anime", "human", "object")),
    ),
    Case(
        "unigenbench", "unigenbench-en", _unigenbench, tuple(f"{n}_{i}.png" for n in (0, 1) for i in range(4))
    ),
    Case("genai", "genai-bench", genai, tuple(f"m/{n:05}.jpeg" for n in (1, 2, 3))),
    Case(
        "hpsv2",
        "hpsv2",
        _hpsv2,
        tuple(f"{style}/{n:05}.jpg" for style in STYLES for n in (0, 1)),
    ),
    Case("mjhq", "mjhq-30k", _mjhq, ("animals/ab.png", "art/cd.png"), protocol="any-size"),
    Case(
        "gedit",
        "gedit-bench-en",
        _gedit,
        ("fullset/color_alter/en/a.png", "fullset/ps_human/en/b.png"),
        ("fullset/color_alter/en/a_SRCIMG.png", "fullset/ps_human/en/b_SRCIMG.png"),
    ),
    Case("imgedit", "imgedit-bench", _imgedit, ("1.png", "22.png")),
]
each_layout = pytest.mark.parametrize("case", CASES, ids=lambda case: case.form)


def noise(seed: int, side: int = SIDE) -> bytes:
    return encoded(seed=seed, width=side, height=side)


def grid(seed: int) -> bytes:
    return make_grid([Image(noise(4 * seed + place)) for place in range(4)], ".png")


def write_folder(case: Case, folder: Path) -> Path:
    """The files of the layout, each with pixels of its own."""
    for seed, name in enumerate(case.files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(grid(seed) if LAYOUTS[case.form].grid else noise(seed))
    return folder


def brought(case: Case, data: Path, folder: Path, out: Path, **more: Any) -> Scored:
    return import_images(out, case.spec(data), folder, case.form, model="m", **more)


def images_of(run: Path, task: str) -> dict[str, list[str]]:
    """Digests of a run's images by sample."""
    with RunReader(run) as reader:
        return {
            record.sample: [image.sha256() for image in record.response.images]
            for record in reader.records(task)
            if isinstance(record.response, ImageResponse)
        }


def failures(run: Path, task: str) -> dict[str, str]:
    with RunReader(run) as reader:
        return {record.sample: record.error for record in reader.failures(task)}


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@each_layout
def test_a_folder_becomes_a_run_and_the_run_the_same_folder(case: Case, tmp_path: Path) -> None:
    data = case.data(tmp_path / "data")
    made = write_folder(case, tmp_path / "made")
    brought(case, data, made, tmp_path / "first")
    found = images_of(tmp_path / "first", case.task)
    assert found
    assert not failures(tmp_path / "first", case.task)
    exported = export_images(tmp_path / "first", case.task, case.form, tmp_path / "out")
    assert (exported.files, exported.samples, exported.without) == (len(case.files), len(found), 0)
    assert files_in(tmp_path / "out") == {*case.files, *case.beside}
    if not LAYOUTS[case.form].grid:
        for name in case.files:
            assert (tmp_path / "out" / name).read_bytes() == (made / name).read_bytes()
    brought(case, data, tmp_path / "out", tmp_path / "second")
    assert images_of(tmp_path / "second", case.task) == found


def test_every_layout_is_among_the_cases_and_the_formats() -> None:
    assert {case.form for case in CASES} == set(LAYOUTS)
    assert set(IMAGES) == set(LAYOUTS)


def test_tiles_keep_their_order_and_pixels() -> None:
    tiles = [Image(noise(place)) for place in range(4)]
    for suffix in (".png", ".webp"):
        back = split_grid(Image(make_grid(tiles, suffix)), black=False)
        for one, other in zip(tiles, back, strict=True):
            assert np.array_equal(np.asarray(decode(one)), np.asarray(decode(other)))


def test_answers_about_the_images_give_the_same_score_after_a_round_trip(tmp_path: Path) -> None:
    case = CASES[0]
    data = case.data(tmp_path / "data")
    dpg_answers(data / "answers.jsonl")
    line = json.loads((data / "answers.jsonl").read_text().splitlines()[0])
    rest = (data / "answers.jsonl").read_text().splitlines()[1:]
    (data / "answers.jsonl").write_text("\n".join([json.dumps({**line, "model": "mplug"}), *rest]))
    made = write_folder(case, tmp_path / "made")

    def score(folder: Path, out: Path) -> dict[str, float]:
        scored = brought(case, data, folder, out)
        assert not scored.errors
        return {f"{e.metric.name} {e.group}": e.value for e in scored.results[0].numbers()}

    first = score(made, tmp_path / "first")
    export_images(tmp_path / "first", case.task, "dpg", tmp_path / "out")
    assert first
    assert score(tmp_path / "out", tmp_path / "second") == first


def test_the_miniature_is_scored_alike_by_its_exact_detector(tmp_path: Path) -> None:
    """The command line as a user has it."""
    made = tmp_path / "made"
    mini = Path(evalsuite_tasks.__file__).parent / "geneval/mini"
    for number, line in enumerate((mini / "evaluation_metadata.jsonl").read_text().splitlines()[:6]):
        wanted = json.loads(line)["include"][0]["class"]
        for place, shape in enumerate((wanted, "circle", "square", wanted)):
            path = made / f"{number:05}/samples/{place:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(scene(thing(shape, "red", 20 + 8 * place, 40)).read())
    run = tmp_path / "first"
    import_images(run, TaskSpec(name="mini-geneval"), made, "geneval", model="m", partial=True)
    exported = CliRunner().invoke(
        app, ["export", str(run), "--format", "geneval", "-o", str(tmp_path / "out")]
    )
    assert exported.exit_code == 0, exported.output
    assert "24 files of 6 samples (114 samples without images are left out)" in exported.output
    brought_in = CliRunner().invoke(
        app,
        ["import", str(tmp_path / "again"), "-t", "mini-geneval", "--predictions", str(tmp_path / "out"),
         "--format", "geneval", "--model", "m", "--partial"],
    )  # fmt: skip
    assert brought_in.exit_code == 0, brought_in.output
    assert images_of(tmp_path / "again", "mini-geneval") == images_of(run, "mini-geneval")

    def rows(folder: Path) -> dict[str, float]:
        with RunReader(folder) as reader:
            table = reader.scores("mini-geneval")
        return dict(zip(table["id"], table["value.images"], strict=True))

    assert rows(tmp_path / "again") == rows(run)
    assert len(rows(run)) == 6
    assert {*rows(run).values()} & {0.5, 0.75, 1.0}, "some images are right"


def _damaged(case: Case, tmp_path: Path, name: str, data: bytes) -> dict[str, str]:
    """What happens to a sample whose file holds that."""
    source = case.data(tmp_path / "data")
    folder = write_folder(case, tmp_path / "made")
    (folder / name).write_bytes(data)
    brought(case, source, folder, tmp_path / "run")
    return failures(tmp_path / "run", case.task)


def _png(image: pil.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _black_tile() -> bytes:
    image = decode(Image(grid(0)))
    image.paste((0, 0, 0), (SIDE, 0, 2 * SIDE, SIDE))
    return _png(image)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_black_tile(), "Tile 2 of a1.png is wholly black"),
        (encoded(width=33, height=32), "33×32: no grid of 2×2"),
        (b"no image", "not an image"),
        (noise(0)[:200], "damaged or truncated"),
    ],
)
def test_a_grid_that_is_wrong_costs_its_sample_only(tmp_path: Path, data: bytes, reason: str) -> None:
    failed = _damaged(CASES[0], tmp_path, "a1.png", data)
    assert list(failed) == ["a1"]
    assert reason in failed["a1"]
    assert list(images_of(tmp_path / "run", "dpg-bench")) == ["b2"]


def test_black_tiles_of_oneig_are_its_scorers_affair(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.form == "oneig")
    assert not _damaged(case, tmp_path, case.files[0], _black_tile())


def test_an_image_of_another_size_than_the_protocol_asks_for_is_a_failure(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.form == "mjhq")
    task = case.spec(case.data(tmp_path / "data")).model_copy(update={"protocol": "official"})
    import_images(tmp_path / "run", task, write_folder(case, tmp_path / "made"), "mjhq")
    told = failures(tmp_path / "run", case.task)
    assert "ab.png is 16×16; the protocol asks for images of 1024×1024" in told["ab"]


def test_missing_files_are_one_error_unless_the_folder_is_partial(tmp_path: Path) -> None:
    case = CASES[1]
    data, folder = case.data(tmp_path / "data"), write_folder(case, tmp_path / "made")
    (folder / case.files[5]).unlink()
    with pytest.raises(DataError, match=r"has no image 00001/samples/00001\.png \(1 such\)"):
        brought(case, data, folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    brought(case, data, folder, tmp_path / "run", partial=True)
    assert sorted(images_of(tmp_path / "run", case.task)) == ["00000", "00002"]


def test_a_file_that_matches_no_prompt_is_one_error_unless_it_is_ignored(tmp_path: Path) -> None:
    case = CASES[0]
    data, folder = case.data(tmp_path / "data"), write_folder(case, tmp_path / "made")
    (folder / "c3.png").write_bytes(grid(9))
    with pytest.raises(DataError, match=r"c3\.png matches no prompt \(1 such"):
        brought(case, data, folder, tmp_path / "run")
    brought(case, data, folder, tmp_path / "run", ignore_unknown=True)
    assert sorted(images_of(tmp_path / "run", case.task)) == ["a1", "b2"]


def test_two_files_of_one_image_are_one_error(tmp_path: Path) -> None:
    case = CASES[0]
    data, folder = case.data(tmp_path / "data"), write_folder(case, tmp_path / "made")
    (folder / "a1.jpg").write_bytes(grid(9))
    with pytest.raises(DataError, match="the same image of sample 'a1'"):
        brought(case, data, folder, tmp_path / "run")


def test_a_folder_of_another_benchmark_is_one_error(tmp_path: Path) -> None:
    case = CASES[0]
    data = case.data(tmp_path / "data")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"has no image of dpg-bench"):
        brought(case, data, tmp_path / "empty", tmp_path / "run", partial=True)
    with pytest.raises(DataError, match="is no folder of images"):
        brought(case, data, tmp_path / "nowhere", tmp_path / "run")


def test_a_layout_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    case = CASES[0]
    data, folder = case.data(tmp_path / "data"), write_folder(case, tmp_path / "made")
    brought(case, data, folder, tmp_path / "run")
    with pytest.raises(SpecError, match="has no number, which the layout needs"):
        export_images(tmp_path / "run", "dpg-bench", "geneval", tmp_path / "out")
    with pytest.raises(SpecError, match="There is no layout"):
        export_images(tmp_path / "run", "dpg-bench", "dgp", tmp_path / "out")
    with pytest.raises(SpecError, match="takes 'text' answers; images alone"):
        import_images(tmp_path / "other", TaskSpec(name="gqa", data=data), folder, "dpg")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.part").exists()


def test_only_the_order_of_compbenchs_numbers_counts(tmp_path: Path) -> None:
    """For the official scripts numbers continue over all prompts; elsewhere they restart with each."""
    case = next(case for case in CASES if case.form == "t2i-compbench")
    data, folder = case.data(tmp_path / "data"), write_folder(case, tmp_path / "made")
    brought(case, data, folder, tmp_path / "run")
    for name in case.files:
        prompt, _, number = (folder / name).stem.rpartition("_")
        (folder / name).rename(folder / f"samples/{prompt}_{int(number) % 10:06}.png")
    brought(case, data, folder, tmp_path / "other")
    assert images_of(tmp_path / "other", case.task) == images_of(tmp_path / "run", case.task)
    (folder / "samples/a red cat_000010.png").write_bytes(noise(99))
    with pytest.raises(DataError, match=r"a red cat_000010\.png matches no prompt"):
        brought(case, data, folder, tmp_path / "third")


@pytest.mark.parametrize("prompt", ["a cat/dog", "a cat_dog"])
def test_a_prompt_that_is_no_file_name_is_refused(prompt: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.form == "t2i-compbench")
    data = case.data(tmp_path / "data")
    row = {"id": 7, "prompt": prompt, "questions": [{"id": 1, "text": "a cat?"}]}
    with (data / "color_questions.jsonl").open("a") as stream:
        stream.write("\n" + json.dumps(row))
    with pytest.raises(SpecError, match="sample '7' cannot be a file's name"):
        brought(case, data, write_folder(case, tmp_path / "made"), tmp_path / "run", partial=True)


def test_an_export_replaces_nothing(tmp_path: Path) -> None:
    case = CASES[0]
    brought(case, case.data(tmp_path / "data"), write_folder(case, tmp_path / "made"), tmp_path / "run")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        export_images(tmp_path / "run", case.task, "dpg", tmp_path / "out")
    assert files_in(tmp_path / "out") == {"notes.txt"}
