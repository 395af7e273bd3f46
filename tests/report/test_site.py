"""What a report writes, and what it refuses."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.errors import SpecError, StoreError
from evalsuite.report import write_report
from evalsuite.report.images import ImageWriter
from evalsuite.report.output import Output
from evalsuite.running.scoring import score_run
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader, RunWriter
from evalsuite.store.judgements import Judge, StoredJudgement
from evalsuite.task import SampleScore
from evalsuite.task.entry import TaskOptions
from tests.report.support import ALL, PLUGIN, measure, read_data, registry, samples_of


def test_a_page_for_the_leaderboard_each_task_its_samples_and_provenance(site: Path) -> None:
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert pages == {
        "index.html", "provenance.html", "compare.html", "compare/pair-1.html",
        *(f"{folder}/{task}.html" for folder in ("tasks", "samples") for task in ALL),
    }  # fmt: skip


def test_pages_reach_nothing_outside_and_run_nothing_inline(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in text
        assert not re.search(r"\sstyle=|\son\w+=|<script>(?!</script>)|javascript:(?=[^<]*\")", text), path
        for address in re.findall(r"(?:src|href)=\"([^\"#]+)", text):
            assert (path.parent / address).resolve().is_file(), f"{path}: {address}"
    for path in (site / "assets").iterdir():
        assert not re.search(
            r"https?://|@import|innerHTML|document\.write|eval\(", path.read_text("utf-8")
        ), path


def test_everything_but_images_and_samples_is_small(site: Path) -> None:
    parts = [*site.rglob("*.html"), *(site / "assets").iterdir()]
    assert sum(path.stat().st_size for path in parts) < 1_000_000


def test_a_sample_holds_what_was_asked_answered_and_scored(site: Path) -> None:
    sample = samples_of(site, "shapes")[13]
    assert sample["id"] == "shapes/13 <b>"
    (prompt,) = sample["p"]
    assert [role for role, _ in prompt["m"]] == ["system", "user", "assistant", "user"]
    shown, words = prompt["m"][-1][1]
    assert words == "13: which colour is it?"
    assert prompt["f"] == "The colour is"
    assert (shown["i"]["w"], shown["i"]["h"]) == (48, 48)
    assert sample["t"] == ["green", "green", "any"]
    exact, odd = sample["a"]
    assert [exact["s"][0][1]["x"], odd["s"][0][1]["x"]] == ["green", "green"]
    assert exact["v"] == [{"r": "official", "p": "green", "f": "", "s": {"accuracy": 1.0, "length": 5.0}}]


def test_failures_are_told_with_their_reasons_and_without_folders(site: Path) -> None:
    failed = samples_of(site, "shapes")[20]["a"][1]["s"][0][1]
    assert failed == {"k": "failed", "e": "The image …/20.png is <b>broken</b>."}
    text = (site / "tasks" / "shapes.html").read_text()
    assert "The image …/20.png is &lt;b&gt;broken&lt;/b&gt;." in text
    assert "cannot be parsed: &lt;b&gt;" in text
    assert text.count("FID is left out for exact, odd: no weights here &lt;b&gt;") == 1
    assert "/home/somebody" not in (site / "provenance.html").read_text()


def test_images_are_named_by_their_content_and_written_once(site: Path) -> None:
    for path in (site / "images").rglob("*.*"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.relative_to(site / "images").as_posix() == f"{digest[:2]}/{digest}{path.suffix}"
    # 4 colours as source, 4 as reference, 4 drawn, and 1 more size in the stories (its first is a source)
    assert len(list((site / "images").rglob("*.*"))) == 13
    assert all(path.suffix == ".webp" for path in (site / "thumbnails").rglob("*.*"))


def test_images_are_shown_as_models_see_them_or_said_to_be_broken(tmp_path: Path) -> None:
    def encoded(kind: str, **options: Any) -> bytes:
        stream = io.BytesIO()
        pil.new("RGB", (40, 20), "red").save(stream, kind, **options)
        return stream.getvalue()

    turned = pil.Exif()
    turned[0x0112] = 6
    output = Output(tmp_path / "site")
    pictures = ImageWriter(output)
    for data, suffix in (
        (encoded("JPEG"), ".jpg"),
        (encoded("JPEG", exif=turned), ".png"),  # a browser would turn it
        (encoded("TIFF"), ".png"),
    ):
        found = pictures.refer(Image(data, name="../x"))
        assert (found["w"], found["h"], found["x"]) == (40, 20, suffix)
        with pil.open(tmp_path / "site" / "images" / found["s"][:2] / (found["s"] + suffix)) as opened:
            assert opened.size == (40, 20)
            assert opened.getexif().get(0x0112, 1) == 1
    script = Image(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", name="a.svg")
    assert "is not an image that can be decoded" in pictures.refer(script)["e"]
    stream = io.BytesIO()
    pil.new("RGB", (16, 16)).save(stream, "DDS")
    unknown = bytearray(stream.getvalue())
    unknown[80] = 1  # a kind of pixels at which PIL's reader gives up with a NotImplementedError
    assert "not an image that can be decoded" in pictures.refer(Image(data=bytes(unknown)))["e"]
    absent = pictures.refer(Image(path=Path("/data/secret/1.png")))
    assert absent == {"n": "1.png", "e": "Image …/1.png cannot be read (No such file or directory)."}


def test_the_index_filters_by_what_the_scores_say(site: Path) -> None:
    index = read_data(site, "shapes/index")
    assert (index["count"], index["total"], index["columns"]) == (24, 24, ["exact", "odd"])
    assert set(index["labels"]) == {"colour", "third", "__proto__"}
    assert [(s["rules"], s["name"]) for s in index["scores"]] == [
        ("official", "accuracy"),
        ("official", "length"),
    ]
    assert sorted(index["states"][1]["u"]) == [0, 1]


@pytest.mark.slow
def test_nothing_of_torch_is_imported(runs: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from evalsuite.report import write_report; "
        f"write_report([{str(runs)!r}], Path({str(tmp_path / 'site')!r})); "
        "print([name for name in ('torch', 'transformers', 'diffusers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_without_data_answers_are_shown_and_prompts_said_to_be_missing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    measure(tmp_path / "a", "exact", TaskSpec(name="shapes", data=data))
    measure(tmp_path / "b", "odd", TaskSpec(name="shapes", data=data), limit=10)
    data.rmdir()
    write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "site", registry=registry())
    samples = samples_of(tmp_path / "site", "shapes")
    assert len(samples) == 24
    assert [sample["id"] for sample in samples] == sorted(sample["id"] for sample in samples)
    assert all(sample["p"] == [] and "t" not in sample for sample in samples)
    assert all(sample["l"]["colour"] for sample in samples)  # labels come from the scores
    assert sum(sample["a"][1] is not None for sample in samples) == 10
    assert "does not exist" in read_data(tmp_path / "site", "shapes/index")["missing"]
    assert "Prompts and references need the benchmark's data" in (
        (tmp_path / "site" / "tasks" / "shapes.html").read_text()
    )


def test_changed_data_are_not_shown_as_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = measure(tmp_path / "run", "exact")
    plugin = registry()
    built = plugin.task("shapes").build(TaskOptions())
    monkeypatch.setattr(type(built), "fingerprint", lambda self: "changed")
    write_report([run], tmp_path / "site", registry=plugin)
    missing = read_data(tmp_path / "site", "shapes/index")["missing"]
    assert missing == "The data here (fingerprint changed) are not those measured (shapes-10000)."
    assert samples_of(tmp_path / "site", "shapes")[0]["p"] == []


@pytest.mark.slow
def test_another_version_or_protocol_is_another_page(tmp_path: Path) -> None:
    measure(tmp_path / "a", "exact", TaskSpec(name="shapes"), TaskSpec(name="shapes", protocol="fancy"))
    measure(tmp_path / "b", "odd", TaskSpec(name="shapes", options={"version": "2"}))
    written = write_report([tmp_path], tmp_path / "site", registry=registry())
    pages = sorted(path.stem for path in (tmp_path / "site" / "tasks").iterdir())
    assert written.tasks == 3
    assert pages == [
        "shapes-protocol-fancy-version-1-data-shapes-1",
        "shapes-protocol-plain-version-1-data-shapes-1",
        "shapes-protocol-plain-version-2-data-shapes-2",
    ]
    text = (tmp_path / "site" / "index.html").read_text()
    for page in pages:  # each column leads to the page of what was measured in it
        assert f'href="tasks/{page}.html">shapes (protocol ' in text


def test_an_unscored_run_shows_its_answers_and_says_how_to_score_it(tmp_path: Path) -> None:
    run = measure(tmp_path / "run", "exact")
    (run / "metrics.json").unlink()
    for table in (run / "scores").iterdir():
        table.unlink()
    write_report([run], tmp_path / "site", registry=registry())
    assert "evalsuite score RUN" in (tmp_path / "site" / "index.html").read_text()
    assert samples_of(tmp_path / "site", "shapes")[0]["a"][0]["s"][0][1]["x"] == "red"


@pytest.mark.slow
def test_two_sets_of_rules_are_told_apart(tmp_path: Path) -> None:
    run = measure(tmp_path / "run", "odd")
    score_run(run, "lenient", registry())
    write_report([run], tmp_path / "site", registry=registry())
    index = read_data(tmp_path / "site", "shapes/index")
    assert [(s["rules"], s["name"]) for s in index["scores"]][::2] == [
        ("official", "accuracy"),
        ("lenient", "accuracy"),
    ]
    verdicts = samples_of(tmp_path / "site", "shapes")[0]["a"][0]["v"]
    assert [(v["r"], v["s"]["accuracy"]) for v in verdicts] == [("official", 0.0), ("lenient", 1.0)]


@pytest.mark.slow
def test_judges_are_told_apart_and_their_words_shown(tmp_path: Path) -> None:
    run = measure(tmp_path / "run", "exact")
    judge = Judge("gpt")
    (result,) = RunReader(run).metrics()
    with RunWriter.for_scoring(run) as writer:
        said = StoredJudgement("shapes", "q" * 64, 0, 0, "shapes/0 <b>", "<b>Good</b>", model="gpt-1")
        refused = StoredJudgement("shapes", "r" * 64, 0, 0, "shapes/0 <b>", None, "content filter")
        for judgement in (said, refused):
            writer.save_judgement(judge, judgement)
        info = replace(result.info, judge="gpt-1")
        rows = [SampleScore("shapes/0 <b>", {"accuracy": 0.5})]
        writer.save_scores("shapes", "official", rows, "gpt-1")
        writer.save_results([result.model_copy(update={"info": info})])
    write_report([run], tmp_path / "site", registry=registry())
    index = read_data(tmp_path / "site", "shapes/index")
    assert list(dict.fromkeys(s["rules"] for s in index["scores"])) == ["official", "official, judge gpt-1"]
    answer = samples_of(tmp_path / "site", "shapes")[0]["a"][0]
    assert [v["s"]["accuracy"] for v in answer["v"]] == [1.0, 0.5]
    assert answer["j"] == [["gpt-1", "<b>Good</b>", "", "", []], ["gpt", "", "content filter", "", []]]
    assert "judge gpt-1" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.slow
def test_one_sample_asked_twice_shows_both_prompts(tmp_path: Path) -> None:
    run = measure(tmp_path / "run", "exact", TaskSpec(name="shapes", options={"steps": "2"}))
    write_report([run], tmp_path / "site", registry=registry())
    sample = samples_of(tmp_path / "site", "shapes")[0]
    assert [prompt["m"][-1][1][1] for prompt in sample["p"]] == [
        "0: which colour is it?",
        "0: which colour is it (asked for the 2. time)?",
    ]
    assert [step[0] for step in sample["a"][0]["s"]] == [0, 1]


@pytest.mark.slow
def test_fewer_samples_and_no_images_on_request(runs: Path, tmp_path: Path) -> None:
    written = write_report([runs], tmp_path / "site", max_samples=5, images=False, registry=registry())
    assert (written.samples, written.images) == (20, 0)
    assert not (tmp_path / "site" / "images").exists()
    index = read_data(tmp_path / "site", "edits/index")
    assert (index["count"], index["total"]) == (5, 24)
    assert "left out" in json.dumps(samples_of(tmp_path / "site", "edits"))
    none = write_report([runs], tmp_path / "none", max_samples=0, registry=registry())
    assert none.samples == 0
    assert not (tmp_path / "none" / "samples").exists()
    assert "odd, 22 samples" in (tmp_path / "none" / "tasks" / "shapes.html").read_text()  # the distribution


@pytest.mark.slow
def test_an_earlier_report_is_replaced_and_other_peoples_files_are_left(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    write_report([runs], out, registry=registry())
    (out / "CNAME").write_text("example.org")
    write_report([runs], out, tasks=["picks"], registry=registry())
    assert [path.stem for path in (out / "tasks").iterdir()] == ["picks"]
    assert {path.name for path in (out / "data").iterdir()} == {"picks"}
    assert not list((out / "thumbnails").rglob("*.webp"))
    assert (out / "CNAME").read_text() == "example.org"
    assert "shapes" not in (out / "index.html").read_text()


def test_a_folder_that_is_no_report_is_refused_untouched(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match="is not empty and not an earlier report"):
        write_report([runs], tmp_path, registry=registry())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(StoreError, match="is a file, not a folder"):
        write_report([runs], tmp_path / "thesis.tex", registry=registry())
    with pytest.raises(StoreError, match=r"cannot be written .*Choose another --out"):
        write_report([runs], tmp_path / "thesis.tex" / "site", registry=registry())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(runs: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        write_report([runs], tmp_path / "site", registry=registry())


def test_what_is_no_run_or_no_task_is_refused_before_anything_is_written(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a run"):
        write_report([tmp_path / "absent"], tmp_path / "site")
    with pytest.raises(SpecError, match=r"No run has a task 'shape'.*shapes"):
        write_report([runs], tmp_path / "site", tasks=["shape"], registry=registry())
    assert not (tmp_path / "site").exists()


@pytest.mark.slow
def test_the_command_says_what_it_wrote(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.cli.program import here

    out = tmp_path / "site"
    ended = here(
        capsys, "report", runs, "-o", out, "--task", "shapes", "--max-samples", "3", "--plugin", PLUGIN
    )
    assert ended.returncode == 0
    assert re.search(r"written: \S+index\.html \(1 tasks, 3 samples, \d images", ended.stderr)
    assert here(capsys, "report", tmp_path / "absent", "-o", out).returncode == 2
