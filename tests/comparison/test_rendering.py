"""Terminal, Markdown, JUnit, JSON and HTML of comparisons; flipped samples; the command and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from evalsuite.comparison import compare, flips_of, junit, markdown, to_json
from tests.cli.program import evalsuite, here, lines
from tests.comparison.runs import PLUGIN, make_run, registry
from tests.comparison.test_compare import right_and_wrong

HOSTILE = (
    "<script>alert(1)</script> | `x` *b* [click](javascript:alert(1)) @everyone https://evil.example\n# head"
)


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    base, candidate = right_and_wrong(60, 2, 14)
    return make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate)


def test_flips_are_the_samples_that_changed_sides_worse_first(runs: tuple[Path, Path]) -> None:
    found = flips_of(compare(*runs, registry=registry()), None, 6)
    assert [flip.direction for flip in found] == ["right to wrong"] * 4 + ["wrong to right"] * 2
    assert [flip.id for flip in found] == ["00000", "00001", "00002", "00003", "00058", "00059"]
    first = found[0]
    assert (first.before, first.after, first.base.answer, first.candidate.answer) == (1, 0, "1.0", "0.0")
    assert first.candidate.prompt == "say number 0"
    assert first.candidate.reference == "<b>number</b> 0"
    assert len(flips_of(compare(*runs, registry=registry()), None, 100)) == 16
    assert flips_of(compare(*runs), ["other"], 6) == []


def test_the_largest_changes_come_first_where_scores_are_no_shares(tmp_path: Path) -> None:
    base = [5.0] * 20
    candidate = [5.0] * 16 + [5.5, 9.0, 4.0, -3.0]
    found = compare(
        make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate), registry=registry()
    ).flips(most=3)
    assert [(flip.id, flip.direction) for flip in found] == [
        ("00019", "worse"), ("00018", "worse"), ("00017", "better"),
    ]  # fmt: skip


def test_what_a_model_said_is_text_in_every_rendering(tmp_path: Path) -> None:
    from evalsuite.notebook.html import sample_html

    base, candidate = right_and_wrong(30, 0, 0)
    run = make_run(tmp_path / "a", base, name=HOSTILE)
    found = compare(run, make_run(tmp_path / "b", candidate, name="<img src=x onerror=alert(1)>"))
    views = compare(run, run, registry=registry())
    for rendered in (found._repr_html_(), sample_html(_view(run))):
        assert "<script>" not in rendered
        assert "<img src=x" not in rendered
        assert "&lt;" in rendered
    text = markdown(found)
    assert "<script>" not in text
    assert "<img" not in text
    assert "https://" not in text
    assert "@everyone" not in text
    assert "\\[click\\]" in text
    assert "\n# head" not in text
    assert xml.fromstring(junit(found)).attrib["failures"] == "0"
    assert json.loads(to_json(views))["base"]["model"] == HOSTILE


def _view(run: Path):  # type: ignore[no-untyped-def]
    from evalsuite.notebook import load_run

    return load_run(run, registry()).sample("numbers", "00003")


def test_markdown_is_short_and_folds_the_details(runs: tuple[Path, Path]) -> None:
    found = compare(*runs, registry=registry())
    text = markdown(found, found.flips(most=4))
    head = text.split("<details>")[0]
    assert head.startswith("### ❌ evalsuite: script → script")
    assert "**regression: numbers mark**" in head
    assert "| numbers | mark ↑ | 50.0 | 30.0 | **-20.0** |" in head
    assert "🔴 worse" in head
    assert len(head) < 1200
    assert text.count("<details>") == text.count("</details>") == 2
    assert "right to wrong, 1 → 0: 00000" in text
    assert "reference: &lt;b&gt;number&lt;/b&gt; 0" in text


@pytest.mark.parametrize("limit", [800, 1_800, 3_000])
def test_a_long_comment_is_cut_from_the_least_important_and_says_so(
    runs: tuple[Path, Path], limit: int
) -> None:
    found = compare(*runs, registry=registry(), groups=True)
    flips = found.flips(most=60)
    assert len(markdown(found, flips, limit=None)) > 3_000
    text = markdown(found, flips, limit=limit)
    assert len(text) <= limit
    assert "**regression: numbers mark**" in text
    assert "samples are in the JSON file only" in text or "Too long for a comment" in text
    assert text.count("<details>") == text.count("</details>")
    if limit >= 1_800:
        assert "| numbers | mark ↑ | 50.0 | 30.0 | **-20.0** |" in text
        assert "❌ **numbers mark**" in text


def test_a_comment_that_fits_is_whole(runs: tuple[Path, Path]) -> None:
    found = compare(*runs, registry=registry())
    assert "Too long" not in markdown(found, found.flips(most=4))
    assert markdown(found, found.flips(most=4)) == markdown(found, found.flips(most=4), limit=None)


def test_junit_carries_values_and_intervals(runs: tuple[Path, Path]) -> None:
    suites = xml.fromstring(junit(compare(*runs, groups=True)))
    cases = {case.attrib["name"]: case for case in suites.iter("testcase")}
    found = {one.attrib["name"]: one.attrib["value"] for one in cases["mark margin"].iter("property")}
    assert (float(found["base"]), float(found["candidate"])) == (50, 30)
    assert (
        float(found["difference_low"]) < float(found["difference"]) == -20 < float(found["difference_high"])
    )
    assert (found["n"], found["verdict"]) == ("60", "worse")
    assert list(cases["mark parity=even"].iter("property"))


def test_junit_counts_what_failed(runs: tuple[Path, Path]) -> None:
    suites = xml.fromstring(junit(compare(*runs, groups=True)))
    assert (suites.attrib["tests"], suites.attrib["failures"]) == ("3", "1")
    (failure,) = suites.iter("failure")
    assert "difference -20.0" in failure.attrib["message"]
    assert {case.attrib["name"] for case in suites.iter("testcase")} == {
        "mark margin", "mark parity=even", "mark parity=odd",
    }  # fmt: skip


def test_json_has_no_nan_and_everything_else(tmp_path: Path) -> None:
    paths = make_run(tmp_path / "a", [0.25]), make_run(tmp_path / "b", [0.5])
    text = to_json(compare(*paths))
    value = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert value["rows"][0]["difference"]["low"] is None
    assert value["rows"][0]["difference"]["value"] == 0.25
    assert value["passed"] is True


def test_the_command_tells_the_regression_and_writes_its_files(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    files: list[str | Path] = ["--markdown", out / "c.md", "--junit", out / "c.xml", "--json", out / "c.json"]
    done = here(capsys, "compare", *runs, "--plugin", PLUGIN, "--flips", "2", *files)
    assert done.returncode == 1
    assert "numbers  mark ↑" in done.stdout
    assert "regression: numbers mark" in done.stdout
    assert "numbers 00000: right to wrong (1 to 0)  say number 0  base: 1.0  candidate: 0.0" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["c.json", "c.md", "c.xml"]
    assert here(capsys, "compare", runs[1], runs[0]).returncode == 0


def test_errors_are_told_apart_from_regressions(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = here(capsys, "compare", runs[0], tmp_path / "absent")
    assert absent.returncode == 2
    assert lines(absent.stderr)[0].startswith("error: ")
    gate = tmp_path / "gates.toml"
    gate.write_text("[tasks.nubmers]\nmin = 3")
    unknown = here(capsys, "compare", *runs, "--gate", gate)
    assert (unknown.returncode, "Did you mean numbers" in unknown.stderr) == (2, True)
    pictures = here(capsys, "compare", *runs, "--images", tmp_path / "x")
    assert (pictures.returncode, "--markdown" in pictures.stderr) == (2, True)
    taken = tmp_path / "taken"
    taken.touch()
    unwritable = here(capsys, "compare", *runs, "--json", taken / "c.json")
    assert (unwritable.returncode, "cannot be written" in unwritable.stderr) == (2, True)


def test_the_program_ends_with_the_comparisons_exit_code(runs: tuple[Path, Path]) -> None:
    assert evalsuite("compare", *runs).returncode == 1
