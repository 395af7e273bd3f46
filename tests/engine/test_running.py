"""A run as a whole, on real plugins and a real disk."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalsuite.engine import plan_task
from evalsuite.errors import AdapterError, DataError, EvalsuiteError, SpecError, StoreError
from evalsuite.request import TextResponse
from evalsuite.running import run
from evalsuite.running.scoring import score_run
from evalsuite.spec import ExecutionOptions, ModelSpec, TaskSpec
from evalsuite.store import RunReader, RunWriter, verify
from evalsuite.task import Sample
from evalsuite.task.entry import TaskOptions
from tests.engine.sums_plugin import Sum, Sums
from tests.engine.support import (
    PLUGIN,
    last_model,
    models_made,
    run_sums,
    sums_registry,
    sums_spec,
)


def responses(out: Path, task: str = "sums") -> dict[tuple[str, int], object]:
    return {(r.sample, r.step): r.response for r in RunReader(out).records(task)}


def hashes(out: Path) -> dict[str, tuple[str, str, str]]:
    return {r.sample: (r.sample_hash, r.request_hash, r.target_hash) for r in RunReader(out).records("sums")}


@pytest.mark.slow
def test_results_do_not_depend_on_batch_size_threads_or_window(tmp_path: Path) -> None:
    tasks = ("sums", "twice-asked", "sum-choices")
    ways = [(1, 1, 1), (3, 1, 7), (8, 4, 256), (32, 2, 16)]
    found = []
    for size, threads, ahead in ways:
        out = tmp_path / f"{size}"
        run_sums(sums_spec(*tasks), out, batch_size=size, prepare_threads=threads, prefetch=ahead)
        found.append(
            ([responses(out, task) for task in tasks], [r.numbers() for r in RunReader(out).metrics()])
        )
    assert all(one == found[0] for one in found[1:])


def test_two_tasks_are_never_in_one_batch(tmp_path: Path) -> None:
    run_sums(sums_spec("sums", "more-sums", count=13), tmp_path / "run", batch_size=8)
    for questions in last_model().batches:
        assert len({question.split(":")[0] for question in questions}) == 1


@pytest.mark.slow
def test_a_model_whose_answers_depend_on_the_batch_is_asked_one_at_a_time_and_it_is_noted(
    tmp_path: Path,
) -> None:
    run_sums(sums_spec("sums", "sum-choices"), tmp_path / "plain")
    run_sums(sums_spec("sums", "sum-choices", batchy=1), tmp_path / "batchy")
    assert responses(tmp_path / "plain") == responses(tmp_path / "batchy")
    notes = RunReader(tmp_path / "batchy").notes()
    assert {note.task for note in notes} == {"sums", "sum-choices"}
    assert RunReader(tmp_path / "plain").notes() == []


def test_a_batch_that_does_not_fit_is_halved_and_later_batches_start_small(tmp_path: Path) -> None:
    run_sums(sums_spec(memory=3, count=30), tmp_path / "run", batch_size=8)
    sizes = [len(batch) for batch in last_model().batches]
    assert sizes[:3] == [8, 4, 2]
    assert max(sizes[3:]) == 2
    assert RunReader(tmp_path / "run").counts()["sums"].answered == 30


def test_failed_samples_are_counted_beside_the_metric_and_never_scored(tmp_path: Path) -> None:
    out = tmp_path / "run"
    outcome = run_sums(sums_spec(guilty=": 5+", unprepared=": 6+"), out)
    [result] = outcome.results
    assert (result.answered, result.failed, result.n, result.headline().n) == (18, 2, 18, 18)
    failures = {record.sample: record.error for record in RunReader(out).failures()}
    assert failures["sums-5"] == "ValueError: cannot add this"
    assert "has no tokens" in failures["sums-6"]
    table = RunReader(out).scores("sums").set_index("id")
    assert len(table) == 20
    assert table.loc["sums-5", "failure"] == "ValueError: cannot add this"
    assert table.loc["sums-5"].isna()["value.accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize(("allowed", "code"), [(0.0, 1), (0.09, 1), (0.1, 0), (1.0, 1), (2.0, 0)])
def test_more_failures_than_allowed_make_the_exit_status_one(
    tmp_path: Path, allowed: float, code: int
) -> None:
    spec = sums_spec(guilty=": 5+", unprepared=": 6+")
    assert run_sums(spec, tmp_path / "run", max_failures=allowed).exit_code == code


@pytest.mark.slow
def test_failed_samples_are_asked_again_only_on_request(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_sums(sums_spec(guilty=": 5+"), out)
    spec_again = RunReader(out).spec
    run(spec_again, out, ExecutionOptions(), sums_registry())
    assert models_made() == 0, "a failed sample was asked again"
    assert run_sums(spec_again, out, retry_failed=True).failed == 1
    assert last_model().batches == [["sums: 5+8="]]
    assert RunReader(out).counts()["sums"].failed == 1


def test_an_adapter_that_drops_a_response_ends_the_run_and_keeps_what_was_answered(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(AdapterError, match=r"'adder'.*3 responses for 4 requests"):
        run_sums(sums_spec("sum-choices", "sums", short=1), out)
    counts = RunReader(out).counts()
    assert (counts["sum-choices"].answered, counts["sums"].answered) == (20, 0)
    assert RunReader(out).manifest.sessions[-1].status == "failed"


def test_a_crash_of_a_scorer_keeps_responses_and_other_tasks_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    monkeypatch.setenv("SUMS_SCORER_CRASHES", "sums")
    outcome = run_sums(sums_spec("sums", "more-sums"), out)
    assert outcome.exit_code == 1
    assert "ZeroDivisionError" in outcome.scoring_errors["sums"]
    assert [result.task for result in outcome.results] == ["more-sums"]
    assert RunReader(out).counts()["sums"].answered == 20
    monkeypatch.delenv("SUMS_SCORER_CRASHES")
    scored = score_run(out, registry=sums_registry())
    assert models_made() == 0
    assert {result.task for result in scored.results} == {"sums", "more-sums"}
    assert not scored.errors


def test_a_run_that_was_stopped_early_can_be_scored_and_the_untouched_task_has_no_number(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    with pytest.raises(AdapterError):
        run_sums(sums_spec("sums", "more-sums", short=1), out)
    assert score_run(out, registry=sums_registry()).errors == {}
    results = {result.task: result for result in RunReader(out).metrics()}
    assert (results["more-sums"].n, results["more-sums"].estimates) == (0, ())


def test_several_rules_stand_side_by_side(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_sums(sums_spec(), out)
    score_run(out, "lenient", sums_registry())
    values = {result.rules: result.headline().value for result in RunReader(out).metrics()}
    assert values == {"official": 0.85, "lenient": 1.0}
    assert RunReader(out).scores("sums", "lenient")["value.accuracy"].mean() == 1.0
    assert RunReader(out).scores("sums")["value.accuracy"].mean() == 0.85
    with pytest.raises(SpecError, match="No task of this run has rules 'strict'"):
        score_run(out, "strict", sums_registry())


@pytest.mark.slow
def test_the_limit_is_the_same_random_subset_for_every_model_and_a_larger_one_contains_it(
    tmp_path: Path,
) -> None:
    run_sums(sums_spec(limit=5, count=50), tmp_path / "one")
    run_sums(sums_spec(limit=5, count=50, weights="v2"), tmp_path / "other")
    run_sums(sums_spec(limit=9, count=50), tmp_path / "larger")
    run_sums(sums_spec(limit=5, count=50, seed=1), tmp_path / "seed")
    names = ("one", "other", "larger", "seed")
    one, other, larger, seed = ({sample for sample, _ in responses(tmp_path / name)} for name in names)
    assert len(one) == 5
    assert one == other < larger
    assert one != seed
    assert one != {f"sums-{i}" for i in range(5)}
    [result] = RunReader(tmp_path / "one").metrics()
    assert (result.total, result.limit, result.n) == (5, 5, 5)


@pytest.mark.slow
def test_records_carry_hashes_that_agree_between_runs_and_differ_between_seeds(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("same", 0), ("seed", 1)):
        run_sums(sums_spec(seed=seed), tmp_path / name)
    rows = {name: hashes(tmp_path / name) for name in ("one", "same", "seed")}
    assert rows["one"] == rows["same"]
    for sample, (shown, asked, expected) in rows["one"].items():
        other = rows["seed"][sample]
        assert (shown, expected) == (other[0], other[2])
        assert asked != other[1], "the seed is part of what is asked"
    assert len({shown for shown, _, _ in rows["one"].values()}) == 20


@pytest.mark.slow
def test_a_protocol_that_asks_twice_resumes_between_its_questions(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    spec = sums_spec("twice-asked", log=log)
    run_sums(spec, out)
    whole = responses(out, "twice-asked")
    assert len(whole) == 40
    second = [line for line in log.read_text().splitlines() if line.endswith("?")]
    assert len(second) >= 20
    with RunWriter.for_scoring(out) as writer:  # as if killed between the two questions of three samples
        writer._connection.execute("DELETE FROM responses WHERE step = 1 AND sample > 'twice-asked-6'")
    log.unlink()
    run_sums(spec, out, self_check=False)
    asked = log.read_text().splitlines()
    assert len(asked) == 3
    assert all(question.endswith("?") for question in asked)
    assert responses(out, "twice-asked") == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"limit": 3}, "limit: None -> 3"),
        ({"model": ModelSpec(name="speaker", options={})}, "model.name: 'adder' -> 'speaker'"),
        (
            {"tasks": (TaskSpec(name="sums", protocol="fancy", options={"count": "20"}),)},
            "tasks[0].protocol: 'plain' -> 'fancy'",
        ),
    ],
)
def test_another_specification_in_the_same_directory_is_refused_with_the_difference(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    out = tmp_path / "run"
    run_sums(sums_spec(), out)
    before = (out / "run.json").read_bytes()
    with pytest.raises(StoreError) as caught:
        run_sums(sums_spec().model_copy(update=change), out)
    assert says in str(caught.value)
    assert (out / "run.json").read_bytes() == before


@pytest.mark.slow
def test_other_data_another_version_or_other_weights_are_not_mixed_into_a_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_sums(sums_spec(guilty=": 5+"), out)
    stored = RunReader(out)
    record = stored.manifest.tasks[0]
    newer = record.model_copy(update={"info": replace(record.info, version="2")})
    with pytest.raises(StoreError, match=r"sums\.version: '1' -> '2'"):
        RunWriter.open(out, stored.spec, [newer], ExecutionOptions())
    other = record.model_copy(update={"data_fingerprint": "other"})
    with pytest.raises(StoreError, match="data_fingerprint"):
        RunWriter.open(out, stored.spec, [other], ExecutionOptions())
    with RunWriter.open(out, stored.spec, stored.manifest.tasks, ExecutionOptions()) as writer:
        model = stored.manifest.model
        assert model is not None
        with pytest.raises(StoreError, match="fingerprint: v1 -> v2"):
            writer.set_model(type(model)(model.name, "v2"))
        writer.set_model(replace(model, details={"configuration": "a"}))
        writer.set_model(replace(model, details={"configuration": "a", "device": "cuda:1"}))
        with pytest.raises(StoreError, match=r"files beside the weights(.|\n)*configuration: a -> b"):
            writer.set_model(replace(model, details={"configuration": "b"}))


def test_what_cannot_be_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    registry = sums_registry()
    speaker = sums_spec("sums", "sum-images").model_copy(update={"model": ModelSpec(name="speaker")})
    with pytest.raises(SpecError, match=r"'speaker' cannot do what these tasks need: sum-images \(image\)"):
        run(speaker, tmp_path / "run", registry=registry)
    with pytest.raises(SpecError, match="Did you mean sums"):
        run(sums_spec("sumz"), tmp_path / "run", registry=registry)
    wrong = sums_spec().model_copy(update={"tasks": (TaskSpec(name="sums", protocol="plane"),)})
    with pytest.raises(SpecError, match=r"no protocol 'plane'\. Did you mean plain"):
        run(wrong, tmp_path / "run", registry=registry)
    with pytest.raises(SpecError, match="listed twice"):
        run(sums_spec("sums", "sums"), tmp_path / "run", registry=registry)
    assert not (tmp_path / "run").exists()
    assert models_made() == 0


@pytest.mark.parametrize(
    ("options", "says"), [({"twice": "1"}, "'same' occurs twice"), ({"count": "0"}, "is empty")]
)
def test_bad_data_are_found_before_the_model_is_loaded(
    tmp_path: Path, options: dict[str, str], says: str
) -> None:
    spec = sums_spec().model_copy(update={"tasks": (TaskSpec(name="sums", options=options),)})
    with pytest.raises(DataError, match=says):
        run_sums(spec, tmp_path / "run")
    assert models_made() == 0
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["half a pair \ud800", 7, ("a", 1)])
def test_an_id_that_the_store_would_not_find_again_is_refused(name: Any) -> None:
    class Odd(Sums):
        def samples(self) -> Iterator[Sample]:
            yield Sample(name, Sum(1, 1))

    task = Odd("sums", "text", TaskOptions(protocol=None, rules=None))
    with pytest.raises(DataError, match="not text that can be stored"):
        plan_task("sums", task, seed=0, limit=None)


def test_the_same_task_in_two_protocols_is_kept_apart(tmp_path: Path) -> None:
    tasks = tuple(TaskSpec(name="sums", protocol=name, options={"count": "4"}) for name in ("plain", "fancy"))
    run_sums(sums_spec().model_copy(update={"tasks": tasks}), tmp_path / "run")
    assert list(RunReader(tmp_path / "run").counts()) == ["sums@plain", "sums@fancy"]


@pytest.mark.slow
def test_a_run_can_be_read_while_it_is_written_and_a_second_writer_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    spec = sums_spec(count=60, delay=0.03)
    worker = threading.Thread(target=run_sums, args=(spec, out))
    worker.start()
    seen: list[int] = []
    while worker.is_alive():
        time.sleep(0.02)
        try:
            with RunReader(out) as reader:
                counts = reader.counts()["sums"]
                assert len(list(reader.records("sums"))) >= counts.answered
        except StoreError:
            assert not seen, "readable at first and then not"
            continue
        seen.append(counts.answered)
        if len(seen) == 3:
            with pytest.raises(StoreError, match=r"being written by another process \(process \d+"):
                RunWriter.for_scoring(out)
    worker.join()
    assert seen == sorted(seen)
    assert any(0 < count < 60 for count in seen)


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_run_goes_on_later(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    spec = sums_spec(count=80, delay=0.05, log=log)
    code = (
        "import sys, signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path\n"
        "from tests.engine.support import run_sums\n"
        "from evalsuite.spec import RunSpec\n"
        "try: run_sums(RunSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2]))\n"
        "except KeyboardInterrupt: sys.exit(130)\n"
    )
    root = PLUGIN.parents[2]
    child = subprocess.Popen([sys.executable, "-c", code, spec.model_dump_json(), str(out)], cwd=root)
    deadline = time.monotonic() + 120
    while (not log.exists() or len(log.read_text().splitlines()) < 12) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    assert not list(out.glob("*-wal")), "the database is one file after a clean stop"
    assert RunReader(out).manifest.sessions[-1].status == "interrupted"
    answered = RunReader(out).counts()["sums"].answered
    assert 8 <= answered < 80
    run_sums(spec, out)
    assert RunReader(out).counts()["sums"].answered == 80
    assert verify(out).sound
    assert [s.status for s in RunReader(out).manifest.sessions] == ["interrupted", "finished"]


def test_changed_data_are_not_scored_with_old_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    run_sums(sums_spec(), out)
    registry = sums_registry()
    plugin = sys.modules["evalsuite_plugin_sums_plugin"]
    real = plugin.Sum
    monkeypatch.setattr(plugin, "Sum", lambda a, b: real(a, b + (a == 7)))
    scored = score_run(out, registry=registry)
    assert "'sums-7': its data have changed" in scored.errors["sums"]
    assert not scored.results
    assert RunReader(out).metrics()[0].headline().value == 0.85, "the old numbers are kept"


def test_data_that_shrink_while_they_are_read_do_not_pass_for_a_whole_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = sums_registry()
    plugin = sys.modules["evalsuite_plugin_sums_plugin"]
    real = plugin.Sums.samples
    passes: list[int] = []

    def samples(task: object) -> Iterator[object]:
        passes.append(1)
        return itertools.islice(real(task), 20 if len(passes) == 1 else 15)

    monkeypatch.setattr(plugin.Sums, "samples", samples)
    outcome = run(sums_spec(), tmp_path / "run", ExecutionOptions(batch_size=4), registry)
    assert (outcome.missing, outcome.exit_code) == (5, 1)


def test_progress_counts_every_sample_once(tmp_path: Path) -> None:
    class Watch:
        def __init__(self) -> None:
            self.heard: list[tuple[object, ...]] = []

        def on_stage(self, text: str) -> None:
            self.heard.append(("stage", text))

        def on_start(self, total: int, done: int) -> None:
            self.heard.append(("start", total, done))

        def on_batch(self, done: int, failed: int, task: str) -> None:
            self.heard.append(("batch", done, failed))

        def on_note(self, task: str, text: str) -> None: ...

        def on_end(self) -> None:
            self.heard.append(("end",))

    watch = Watch()
    spec = sums_spec("sums", "twice-asked", guilty=": 5+")
    run(spec, tmp_path / "run", ExecutionOptions(batch_size=4), sums_registry(), watch)
    assert ("start", 40, 0) in watch.heard
    batches = [event for event in watch.heard if event[0] == "batch"]
    assert sum(int(str(event[1])) for event in batches) == 40
    assert sum(int(str(event[2])) for event in batches) == 2
    assert watch.heard[-1] == ("end",)


def test_the_run_says_what_it_was_made_with(tmp_path: Path) -> None:
    run_sums(sums_spec(), tmp_path / "run")
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    session = described["sessions"][0]
    assert session["status"] == "finished"
    assert {"evalsuite", "numpy", "torch"} <= set(session["environment"]["packages"])
    assert set(session["environment"]["plugins"]) == {str(PLUGIN)}
    assert described["model"]["fingerprint"] == "v1"
    assert described["spec"]["tasks"][0]["protocol"] == "plain", "defaults are written out"


def test_answers_are_text_responses_with_their_tokens(tmp_path: Path) -> None:
    run_sums(sums_spec(count=2), tmp_path / "run")
    assert responses(tmp_path / "run")["sums-0", 0] == TextResponse("0", 1)
    assert RunReader(tmp_path / "run").metrics()[0].cost.tokens == 2


def test_errors_of_the_engine_are_one_family() -> None:
    assert issubclass(AdapterError, EvalsuiteError)


def test_a_new_run_whose_model_cannot_be_loaded_leaves_nothing_on_record(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(EvalsuiteError, match="broken"):
        run_sums(sums_spec(unloadable="sk-secret"), out)
    assert not out.exists() or not list(out.iterdir()), "what was mistyped, a key perhaps, is nowhere"
    assert run_sums(sums_spec(), out).exit_code == 0, "the corrected command begins there"


def test_the_model_is_gone_when_answers_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import weakref

    from evalsuite.running import measuring

    known: list[weakref.ref[Any]] = []
    build, score = vars(measuring)["build_model"], vars(measuring)["score_all"]

    def building(*arguments: Any) -> Any:
        made = build(*arguments)
        sys.modules["evalsuite_plugin_sums_plugin"].MADE.clear()  # which holds it for other tests
        known.append(weakref.ref(made))
        return made

    def scoring(*arguments: Any, **more: Any) -> Any:
        assert known[-1]() is None, "somebody holds the model while networks that score need its memory"
        return score(*arguments, **more)

    monkeypatch.setattr(measuring, "build_model", building)
    monkeypatch.setattr(measuring, "score_all", scoring)
    assert run_sums(sums_spec(), tmp_path / "run").exit_code == 0
    assert known
