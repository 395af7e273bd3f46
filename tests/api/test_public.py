"""The public interface: light to import, complete, documented, and its errors."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import evalsuite
from evalsuite.content import Image, Text
from evalsuite.errors import EvalsuiteError, SpecError, StoreError
from evalsuite.notebook import SampleView, Turn
from evalsuite.notebook.html import sample_html
from evalsuite.request import (
    ChoiceResponse,
    DocumentResponse,
    GenerateText,
    ImageResponse,
    Request,
    ScoreChoices,
    TextResponse,
)
from tests.comparison.runs import PLUGIN, make_run, registry
from tests.engine.support import run_sums, sums_registry, sums_spec

HEAVY = ("torch", "transformers", "pandas", "scipy", "numpy", "pyarrow", "pydantic", "yaml", "PIL", "typer")


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_evalsuite_imports_nothing_else() -> None:
    heavy = f"[name for name in {HEAVY} if name in sys.modules]"
    assert _python(f"import sys, evalsuite; dir(evalsuite); evalsuite.run; print({heavy})") == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("first", ["evalsuite.leaderboards", "evalsuite.comparison", "evalsuite.cli"])
def test_a_room_that_was_imported_before_hides_no_function(first: str) -> None:
    code = (
        f"import {first}\nimport evalsuite as e\nfrom evalsuite.leaderboards import load\n"
        "print(callable(e.leaderboard), callable(load), callable(e.compare))"
    )
    assert _python(code) == "True True True"


def test_public_names_are_there_documented_and_typed() -> None:
    for name in evalsuite.__all__:
        found: Any = getattr(evalsuite, name)
        if name == "__version__":
            continue
        assert inspect.getdoc(found), name
        functions = [found]
        if inspect.isclass(found):
            functions = [f for key, f in vars(found).items() if inspect.isfunction(f) and key[0] != "_"]
        for function in functions:
            if inspect.isfunction(function):
                parameters = inspect.signature(function).parameters
                given = function.__annotations__
                assert all(p in given for p in parameters if p != "self"), (name, function)
                assert "return" in given, (name, function)
    assert get_type_hints(evalsuite.SamplePlan.samples)["return"] is int


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'compares'"):
        getattr(evalsuite, "compares")  # noqa: B009
    assert {"compare", "load_run", "leaderboard"} <= set(dir(evalsuite))


def test_a_run_gives_its_numbers_and_scores_by_short_names(tmp_path: Path) -> None:
    run_sums(sums_spec("sums", "sum-choices"), tmp_path / "run")
    run = evalsuite.load_run(tmp_path / "run", sums_registry())
    assert run.tasks == ("sums", "sum-choices")
    assert (run.model, run.counts["sums"].answered) == ("adder", 20)
    scores = run.scores("sums")
    assert list(scores.columns) == ["cluster", "parsed", "failure", "unread", "accuracy", "parity"]
    assert scores.index[0] == "sums-0"
    assert set(run.metrics["group"]) == {"", "parity=even", "parity=odd"}
    assert "sums" in repr(run)


@pytest.mark.slow
def test_samples_are_picked_by_expression_or_function(tmp_path: Path) -> None:
    run_sums(sums_spec("sums"), tmp_path / "run")
    run = evalsuite.load_run(tmp_path / "run", sums_registry())
    wrong = run.samples(where="accuracy == 0 and parity == 'odd'")
    assert [view.id for view in wrong] == ["sums-3", "sums-17"]
    assert (wrong[0].prompt, wrong[0].answer, wrong[0].reference) == ("sums: 3+9=", "13", 12)
    assert [view.id for view in run.samples(where=lambda scores: scores["accuracy"] < 1)] == [
        "sums-3", "sums-10", "sums-17",
    ]  # fmt: skip
    assert len(run.samples(limit=5)) == 5
    assert len(run.samples(limit=None)) == 20
    assert run.sample("sums-3").id == run.sample("sums", "sums-3").id == "sums-3"


def test_several_turns_are_all_shown(tmp_path: Path) -> None:
    run_sums(sums_spec("twice-asked"), tmp_path / "run")
    view = evalsuite.load_run(tmp_path / "run", sums_registry()).sample("twice-asked-2")
    assert [turn.asked for turn in view.turns] == ["twice-asked: 2+4=", "twice-asked: 2+4= 6?"]
    assert view.said == "6 | 6"


@pytest.mark.slow
def test_choices_and_images_are_shown(tmp_path: Path) -> None:
    run_sums(sums_spec("sum-choices", "sum-images"), tmp_path / "run")
    run = evalsuite.load_run(tmp_path / "run", sums_registry())
    choice = run.sample("sum-choices", "sum-choices-2")
    assert choice.answer == "6"
    assert "log-likelihood" in choice._repr_html_()
    drawn = run.sample("sum-images", "sum-images-2")
    assert len(drawn.drawn) == 1
    assert "data:image/png;base64," in drawn._repr_html_()


def test_a_failed_sample_says_why_and_without_data_the_answers_are_still_shown(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    path = make_run(tmp_path / "run", [1.0, None, "unscorable"], gone=gone)
    run = evalsuite.load_run(path, registry())
    assert run.sample("00001").answer == "nothing to say"
    assert run.sample("00002").failure == "the answer is no number"
    gone.touch()
    view = run.sample("00000")
    assert (view.answer, view.prompt, view.reference) == ("1.0", "", None)
    assert "The numbers are gone" in view.note
    assert "The numbers are gone" in view._repr_html_()


def test_a_reference_is_told_on_one_line() -> None:
    def expected(reference: Any) -> str:
        return SampleView("m", "t", "1", (), reference).expected

    assert expected(["blue"] * 9 + ["navy"]) == "blue (9), navy"
    assert expected({"prompt": "a dog", "captions": ["one", "two"]}) == "prompt: a dog; captions: one, two"
    assert (expected(None), expected("yes"), expected(12)) == ("", "yes", "12")


@pytest.mark.slow
def test_errors_suggest_what_was_meant(tmp_path: Path) -> None:
    run_sums(sums_spec("sums", "more-sums"), tmp_path / "run")
    run = evalsuite.load_run(tmp_path / "run", sums_registry())
    with pytest.raises(SpecError, match=r"no task 'sumz'. Did you mean"):
        run.scores("sumz")
    with pytest.raises(SpecError, match="has several tasks"):
        run.scores()
    with pytest.raises(SpecError, match=r"no answer to a sample 'sums-99'. Did you mean sums-9"):
        run.sample("sums", "sums-99")
    with pytest.raises(SpecError, match=r"cannot be evaluated .* Columns: .*accuracy"):
        run.samples("sums", where="acuracy < 1")
    with pytest.raises(StoreError, match="by the rules 'lenient'"):
        run.scores("sums", rules="lenient")
    with pytest.raises(StoreError, match="is not a run"):
        evalsuite.load_run(tmp_path)
    misspelt: Any = {"batchsize": 3}
    with pytest.raises(SpecError, match="no setting 'batchsize'"):
        evalsuite.run("adder", "sums", tmp_path / "x", registry=sums_registry(), **misspelt)
    with pytest.raises(SpecError, match="batch_size: Input should be greater"):
        evalsuite.run("adder", "sums", tmp_path / "x", batch_size=0, registry=sums_registry())
    with pytest.raises(SpecError, match="No run has a task 'sumz'"):
        evalsuite.leaderboard(tmp_path, tasks=["sumz"])


@pytest.mark.slow
def test_measuring_scoring_and_listing_from_python(tmp_path: Path) -> None:
    from tests.engine.support import PLUGIN as SUMS

    run = evalsuite.run("adder", ["sums"], tmp_path / "run", plugins=[SUMS], task_options={"count": "9"})
    assert len(run.scores("sums")) == 9
    assert len(evalsuite.score(tmp_path / "run", "lenient").scores("sums", rules="lenient")) == 9
    frame = evalsuite.leaderboard([tmp_path], all_metrics=True, groups=True)
    assert set(frame["rules"]) == {"official", "lenient"}
    runs = evalsuite.list_runs(tmp_path)
    assert list(runs["answered"]) == [9]
    assert evalsuite.verify_run(str(tmp_path / "run")).sound
    found = evalsuite.load_registry([SUMS])
    assert "adder" in set(evalsuite.list_models(found)["name"])
    assert "sums" in set(evalsuite.list_tasks(found)["name"])
    assert "mini" in set(evalsuite.list_suites(found)["name"])
    with pytest.raises(EvalsuiteError, match="samples failed, 0 were allowed"):
        evalsuite.run(
            "script", "numbers", tmp_path / "failing", plugins=[PLUGIN], task_options={"count": "2"},
            options={"values": str(_values(tmp_path))},
        )  # fmt: skip


def _values(folder: Path) -> Path:
    file = folder / "values.json"
    file.write_text("[1, null]")
    return file


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \ud800 \0 \u202e " + "long" * 30_000


def test_nothing_a_model_or_a_data_set_says_can_run(tmp_path: Path) -> None:
    picture = Image(data=b"<svg onload=alert(1)>", name='"><script>x</script>')
    request = Request((evalsuite_user(HOSTILE, picture),), GenerateText(), prefill=HOSTILE)
    choices = Request((evalsuite_user(HOSTILE),), ScoreChoices((HOSTILE, "b")))
    view = SampleView(
        HOSTILE, HOSTILE, HOSTILE,
        (
            Turn(request, TextResponse(HOSTILE)),
            Turn(choices, ChoiceResponse((-1.0, -2.0))),
            Turn(request, ImageResponse((picture, Image(path=tmp_path / "<b>absent.png")))),
            Turn(request, DocumentResponse((Text(HOSTILE), picture))),
            Turn(request, None, HOSTILE),
        ),
        {HOSTILE: HOSTILE}, {HOSTILE: 1.0}, HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, HOSTILE,
    )  # fmt: skip
    shown = sample_html(view)
    for bad in ("<script", "<img src=x", "<svg", "<b>absent", "\0", "\ud800"):
        assert bad not in shown
    shown.encode("utf-8")
    assert "characters)" in shown
    assert "absent.png cannot be read" in shown


def evalsuite_user(*parts: Any) -> Any:
    from evalsuite.content import user

    return user(*parts)
