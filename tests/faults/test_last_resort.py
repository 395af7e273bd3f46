"""What nobody foresaw ends with exit 2, a line and a trace in a file; one sample's trouble stays its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalsuite.store import RunReader
from tests.cli.program import here
from tests.data.image_files import encoded
from tests.faults.conftest import Tally
from tests.faults.support import LOOKER, SUMS, failures, is_refusal, pope, program, run_looker


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pope(tmp_path / "pope", {f"{i}.png": encoded(seed=i) for i in range(6)})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["exit", "panic", "speechless", "recursion", "unprepared"])
def test_whatever_an_adapter_raises_costs_its_sample_only(
    trouble: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    options = ("--option", f"trouble={trouble}", "--option", "when=3.png")
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run", *options)))
    assert end.returncode == 1
    assert list(failures(tmp_path / "run")) == ["4"]
    with RunReader(tmp_path / "run") as run:
        assert len(run.answered("pope-popular")) == 5
    tally("adapters that misbehave", "one failed sample")


@pytest.mark.slow
def test_an_adapter_that_ends_the_process_at_every_sample_is_no_success(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run", "--option", "trouble=exit")))
    assert end.returncode == 1
    assert len(failures(tmp_path / "run")) == 6
    tally("adapters that misbehave", "all failed, exit 1")


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["cyclic", "deep", "digits", "cyclic-info"])
def test_details_that_cannot_be_stored_do_not_cost_the_answer(
    trouble: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run", "--option", f"trouble={trouble}")))
    assert end.returncode == 0, end.stderr
    with RunReader(tmp_path / "run") as run:
        assert len(run.answered("pope-popular")) == 6
        if trouble == "cyclic":
            record = next(iter(run.records("pope-popular")))
            assert record.response is not None
            assert record.response.details["kept"] == 1
            assert "Circular" in record.response.details["cyclic"]
    tally("adapters that misbehave", "answers kept")


@pytest.mark.parametrize("trouble", ["exit-at-start", "bug-at-start", "speechless-at-start"])
def test_an_adapter_that_cannot_be_made_is_an_error_with_a_trace_where_it_is_a_bug(
    trouble: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], cache: Path, tally: Tally
) -> None:
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run", "--option", f"trouble={trouble}")))
    assert end.returncode == 2
    assert not (tmp_path / "run").exists()
    assert "Traceback" not in end.stderr
    assert "\x1b" not in end.stderr
    error = next(line for line in end.stderr.splitlines() if line.startswith("error:"))
    if trouble == "exit-at-start":
        assert "ended the process" in error
    else:
        traces = list((cache / "traces").iterdir())
        assert len(traces) == 1
        assert str(traces[0]) in error
        assert "Traceback" in traces[0].read_text()
    tally("adapters that misbehave", "refused, exit 2")


@pytest.mark.slow
def test_a_bug_of_one_model_does_not_stop_the_next(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    broken = tmp_path / "broken_plugin.py"
    broken.write_text(
        "from evalsuite.model.entry import ModelEntry\n"
        "def build(options): raise ZeroDivisionError('a bug')\n"
        "def models(): return [ModelEntry('broken', 'b', frozenset({'text'}), build)]\n"
    )
    end = here(
        capsys,
        "run",
        "--plugin",
        LOOKER,
        "--plugin",
        broken,
        "--model",
        "broken",
        "--model",
        "looker",
        "--task",
        "pope-popular",
        "--data",
        data,
        "--out",
        tmp_path / "runs",
    )
    assert end.returncode == 2
    assert "ZeroDivisionError" in end.stderr
    with RunReader(tmp_path / "runs" / "looker") as run:
        assert len(run.answered("pope-popular")) == 6
    tally("adapters that misbehave", "the other model measured")


def test_images_that_a_model_names_but_does_not_have_cost_their_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    end = here(
        capsys,
        "run",
        "--plugin",
        LOOKER,
        "--plugin",
        SUMS,
        "--model",
        "drawer",
        "--task",
        "sum-images",
        "--out",
        tmp_path / "run",
    )
    assert end.returncode == 1
    assert len(failures(tmp_path / "run")) == 20
    assert all(is_refusal(reason) for reason in failures(tmp_path / "run").values())
    tally("adapters that misbehave", "all failed, exit 1")


_NAME = "n" * 300
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "a name of 300 characters for a run": ("--task", "pope-popular", "--out", _NAME),
    "a name of 300 characters for data": ("--task", "pope-popular", "--data", _NAME),
    "a name of 300 characters for a task": ("--task", _NAME),
    "a name of 300 characters for a plugin": ("--task", "pope-popular", "--plugin", _NAME + ".py"),
    "a name of 300 characters for a file of settings": ("--config", _NAME + ".yaml"),
    "a null byte in a name": ("--task", "pope-popular", "--data", "a\x00b"),
    "a size that is no number": ("--task", "mini-text-to-image", "--task-option", "size=nan"),
    "a size without end": ("--task", "mini-text-to-image", "--task-option", "size=inf"),
    "a size of 5,000 digits": ("--task", "mini-text-to-image", "--task-option", "size=" + "9" * 5000),
    "a count that is no number": ("--task", "pope-popular", "--task-option", "count=nan"),
    "failures that are no number": ("--task", "pope-popular", "--max-failures", "nan"),
    "a seed of 5,000 digits": ("--task", "pope-popular", "--seed", "9" * 5000),
    "a limit of 5,000 digits": ("--task", "pope-popular", "--limit", "9" * 5000),
    "a batch size that is no number": ("--task", "pope-popular", "--batch-size", "nan"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", _ARGUMENTS)
def test_absurd_arguments_are_refused_in_a_line(
    what: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = _ARGUMENTS[what]
    more = [] if "--data" in given else ["--data", str(data)]
    more += [] if "--out" in given else ["--out", str(tmp_path / "run")]
    end = here(capsys, "run", "--plugin", LOOKER, "--model", "looker", *given, *more)
    assert end.returncode == 2, end.stderr
    assert "Traceback" not in end.stderr
    assert "This is a bug" not in end.stderr, end.stderr
    tally("absurd arguments", "refused, exit 2")


_SETTINGS = {
    "a date that is none": "seed: 2023-13-45\n",
    "a number of 5,000 digits": f"seed: {'9' * 5000}\n",
    "lists nested deeply": "tasks: " + "[" * 50_000 + "]" * 50_000 + "\n",
    "mappings nested deeply": "tasks: " + "{a: " * 50_000 + "1" + "}" * 50_000 + "\n",
    "indented deeply": "".join(" " * i + "a:\n" for i in range(3000)),
    "aliases that multiply": "a: &a [x, x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)),
    "a list": "- 1\n- 2\n",
    "a text": "hello\n",
    "nothing": "",
    "a tab": "\tseed: 1\n",
    "a Python object": "seed: !!python/object/apply:os.system ['touch owned']\n",
    "two documents": "seed: 1\n---\nseed: 2\n",
    "no UTF-8": "seed: \udcff\n",
    "a null byte": "seed: \x00\n",
    "a key that is a list": "? [a, b]\n: 1\n",
    "a merge of nothing": "<<: 1\n",
    "binary that is none": "seed: !!binary '***'\n",
    "infinity": "seed: .inf\n",
    "not a number": "limit: .nan\n",
    "an unknown key": "speed: 1\n",
    "a key twice": "seed: 1\nseed: x\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", _SETTINGS)
def test_absurd_files_of_settings_are_refused_in_a_line(
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "settings.yaml"
    file.write_bytes(_SETTINGS[what].encode("utf-8", "surrogateescape"))
    end = here(
        capsys,
        "run",
        "--plugin",
        SUMS,
        "--config",
        file,
        "--model",
        "adder",
        "--task",
        "sum-choices",
        "--out",
        tmp_path / "run",
    )
    assert end.returncode == (0 if what == "nothing" else 2), end.stderr
    assert "This is a bug" not in end.stderr, end.stderr
    assert not (tmp_path / "owned").exists()
    tally("broken YAML", "read" if what == "nothing" else "refused, exit 2")


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_failure_of_samples(tmp_path: Path, tally: Tally) -> None:
    import subprocess

    from tests.faults.support import command, environment

    with subprocess.Popen(
        command("list", "tasks"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(120) in (141, 0)
    tally("the output's reader goes away", "exit 141")


@pytest.mark.long
def test_a_text_of_200_megabytes_costs_seconds(data: Path, tmp_path: Path, tally: Tally) -> None:
    import time

    started = time.monotonic()
    end = program(
        *run_looker(data, tmp_path / "run", "--option", "trouble=long", "--option", "when=3.png"),
        cache=tmp_path,
        timeout=120,
    )
    assert end.returncode == 1, end.stderr
    assert "210,000,000 characters" in failures(tmp_path / "run")["4"]
    assert time.monotonic() - started < 120
    assert sum(file.stat().st_size for file in (tmp_path / "run").iterdir() if file.is_file()) < 1_000_000
    tally("texts of 200 MB", "one failed sample")


@pytest.mark.slow
def test_captions_of_two_megabytes_are_failures_of_their_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2014").mkdir()
    images = [{"id": i, "file_name": f"{i}.png"} for i in range(3)]
    for image in images:
        (folder / "val2014" / str(image["file_name"])).write_bytes(encoded(seed=int(str(image["id"]))))
    notes = [
        {"id": i, "image_id": i, "caption": "a dog. " * 300_000 if i == 1 else "a dog"} for i in range(3)
    ]
    (folder / "annotations/captions_val2014.json").write_text(
        json.dumps({"images": images, "annotations": notes})
    )
    end = here(
        capsys,
        "run",
        "--plugin",
        LOOKER,
        "--model",
        "looker",
        "--task",
        "coco-caption-2014-val",
        "--data",
        folder,
        "--out",
        tmp_path / "run",
    )
    assert end.returncode == 1, end.stderr
    assert "This is a bug" not in end.stderr
    with RunReader(tmp_path / "run") as run:
        result = run.metrics()[0]
        assert (result.answered, result.unscored) == (3, 1)
    tally("texts of 200 MB", "one failed sample")
