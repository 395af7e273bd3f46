"""Engines that a run starts itself: healthy before they are asked, restarted when they die, never left
behind."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from evalsuite.content import user
from evalsuite.errors import SpecError, UnavailableError
from evalsuite.model import Model, ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import GenerateText, Request, TextResponse

pytest.importorskip("openai")

ENGINE = Path(__file__).parent / "engine.py"


def command(*more: str) -> str:
    return shlex.join([sys.executable, str(ENGINE), "{port}", *more])


def build(argument: str = "counter", preset: str = "served", **options: Any) -> Any:
    entry, _ = load_registry().model(f"{preset}:{argument}")
    made: Model = entry.build(ModelOptions(argument, options={name: str(v) for name, v in options.items()}))
    return made


def ask(model: Any, *texts: str) -> list[str]:
    batch = [model.prepare(Request((user(text),), GenerateText())) for text in texts]
    return [
        answer.text if isinstance(answer, TextResponse) else repr(answer)
        for answer in model.generate_text(batch)
    ]


def living(pids: Path) -> list[int]:
    found = [int(pid) for pid in pids.read_text().split()] if pids.exists() else []
    return [pid for pid in found if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def wait_until_gone(pids: Path, seconds: float = 20) -> list[int]:
    until = time.monotonic() + seconds
    while living(pids) and time.monotonic() < until:
        time.sleep(0.1)
    return living(pids)


def test_an_engine_is_started_asked_when_it_is_healthy_and_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    model = build(engine=command("--slow", "1", "--pids", str(pids)))
    assert ask(model, "one two three", "one") == ["3", "1"]
    assert model.info.details["engine_version"] == "1.2.3"
    assert "engine.py" in model.info.details["engine"]
    assert len(living(pids)) == 1
    del model
    assert wait_until_gone(pids) == []


def test_two_starts_have_one_fingerprint_whatever_their_ports(tmp_path: Path) -> None:
    first, second = build(engine=command()), build(engine=command())
    assert first.info.fingerprint == second.info.fingerprint
    assert first.info.name == "counter"


def test_an_engine_that_dies_is_started_again_and_its_open_requests_asked_again(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    model = build(
        engine=command("--dies-after", "3", "--pids", str(pids)), retries=0, in_flight=1, restarts=9
    )
    assert ask(model, *("a b " * n for n in range(1, 9))) == [str(2 * n) for n in range(1, 9)]
    assert len(pids.read_text().split()) >= 3


def test_an_engine_that_dies_too_often_stops_the_run(tmp_path: Path) -> None:
    model = build(engine=command("--dies-after", "1"), retries=0, in_flight=1, restarts=1)
    answers = model.generate_text(
        [model.prepare(Request((user(t),), GenerateText())) for t in ("a", "b", "c", "d")]
    )
    assert [isinstance(answer, TextResponse) for answer in answers] == [True, True, False, False]
    assert isinstance(answers[-1], UnavailableError)


@pytest.mark.parametrize(("by", "said"), [("SIGILL", "died by SIGILL"), ("", "died with exit status 9")])
def test_how_an_engine_ended_is_said_also_when_it_is_asked_once_more(by: str, said: str) -> None:
    model = build(engine=command("--dies-at", "a", "--by", by), retries=0, in_flight=1, restarts=0)
    batch = [model.prepare(Request((user("a"),), GenerateText()))]
    (answer,) = model.generate_text(batch)
    assert isinstance(answer, UnavailableError)
    assert said in str(answer)
    with pytest.raises(UnavailableError, match=said):
        model.generate_text(batch)


@pytest.mark.slow
def test_a_request_that_kills_every_engine_fails_alone(tmp_path: Path) -> None:
    model = build(engine=command("--dies-at", "poison"), retries=0, in_flight=1, restarts=9)
    assert [text[:11] for text in ask(model, "a", "poison b", "c d")] == ["1", "SampleError", "2"]


def test_an_engine_that_ends_at_once_is_told_with_its_last_words() -> None:
    with pytest.raises(UnavailableError, match=r"before it was ready, with exit status 3: .*no kernel image"):
        build(engine=command("--broken"))


def test_an_engine_that_never_becomes_healthy_is_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(UnavailableError, match=r"not healthy after 1 s \(GET /health\)"):
        build(engine=command("--never", "--pids", str(pids)), startup_timeout=1)
    assert wait_until_gone(pids) == []


def test_an_engine_that_serves_another_model_is_refused_and_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(UnavailableError, match="serves other, not counter"):
        build(engine=command("--name", "other", "--pids", str(pids)))
    assert wait_until_gone(pids) == []


def test_a_path_is_served_by_its_name_and_served_name_names_any() -> None:
    assert ask(build("/models/counter", engine=command()), "a b") == ["2"]
    assert ask(build("x", engine=command("--name", "y"), served_name="y"), "a b") == ["2"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs the command"),
        ({"engine": "nothing-of-this-name --port {port}"}, "no program 'nothing-of-this-name'"),
        ({"engine": "python3 -m http.server"}, r"no \{port\}"),
        ({"engine": "true {port}", "restart": "1"}, "restart"),
    ],
)
def test_a_command_that_cannot_be_is_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises((SpecError, UnavailableError), match=said):
        build(**options)


@pytest.mark.slow
def test_a_preset_without_its_program_names_the_remedy() -> None:
    with pytest.raises(SpecError, match="no program 'vllm'"):
        build("some/model", preset="vllm")


def started(
    monkeypatch: pytest.MonkeyPatch, name: str, gpus: int = 0, dtype: str = "auto", **options: str
) -> str:
    """The command that a preset would start."""
    from evalsuite_baselines.served import adapter

    class Stop(Exception):
        pass

    def start(process: Any) -> None:
        raise Stop(shlex.join(process.command))

    monkeypatch.setattr(adapter, "assigned_gpus", lambda: gpus)
    monkeypatch.setattr(adapter.EngineProcess, "start", start)
    entry, argument = load_registry().model(name)
    with pytest.raises(Stop) as stop:
        entry.build(ModelOptions(argument, dtype=dtype, options=options))
    return str(stop.value)


@pytest.mark.parametrize(
    ("name", "gpus", "words"),
    [
        ("vllm:org/M", 0, "vllm serve org/M --host 127.0.0.1 --port '{port}' --generation-config vllm"),
        (
            "vllm:org/M",
            2,
            "vllm serve org/M --host 127.0.0.1 --port '{port}' --generation-config vllm "
            "--tensor-parallel-size 2",
        ),
        (
            "sglang:org/M",
            4,
            "python3 -m sglang.launch_server --model-path org/M --host 127.0.0.1 --port '{port}' "
            "--sampling-defaults openai --tp-size 4",
        ),
    ],
)
def test_presets_start_what_their_engines_document(
    monkeypatch: pytest.MonkeyPatch, name: str, gpus: int, words: str
) -> None:
    assert started(monkeypatch, name, gpus) == words


def test_decoding_defaults_of_an_engine_are_put_aside_but_for_what_the_user_says(tmp_path: Path) -> None:
    bodies = tmp_path / "bodies"
    engine = command("--name", "m", "--bodies", str(bodies))
    plain = build("m", preset="llama-cpp", engine=engine, health="/health")
    own = build("m", preset="llama-cpp", engine=engine, health="/health", extra_body='{"top_k": 7}')
    serve = build("m", preset="transformers-serve", engine=engine)
    for model in (plain, own, serve):
        assert ask(model, "a b") == ["2"]
    first, second, third = (json.loads(line) for line in bodies.read_text().splitlines())
    neutral = {"repeat_penalty": 1.0, "top_k": 0, "min_p": 0.0}
    assert neutral.items() <= first.items()
    assert {**neutral, "top_k": 7}.items() <= second.items()
    assert json.loads(third["generation_config"])["repetition_penalty"] == 1.0
    assert plain.info.details["extra_body"] == neutral
    assert len({model.info.fingerprint for model in (plain, own, serve)}) == 3


def test_the_users_own_arguments_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    own = started(monkeypatch, "vllm:M", 4, engine_args="--tensor-parallel-size 2 --pipeline-parallel-size 2")
    assert own.count("tensor-parallel-size") == 1
    assert started(monkeypatch, "vllm:M", 4, engine="mine {model} {port}") == "mine M '{port}'"
    assert started(monkeypatch, "vllm:M", dtype="float16").endswith("--dtype float16")
    entry, _ = load_registry().model("llama-cpp:M")
    with pytest.raises(SpecError, match="takes no --dtype"):
        entry.build(ModelOptions("M", dtype="float16"))


def test_a_port_that_is_taken_meanwhile_is_not_the_end(tmp_path: Path) -> None:
    model = build(engine=command("--taken", str(tmp_path / "once")))
    assert ask(model, "a b") == ["2"]
    with pytest.raises(UnavailableError, match="3 ports in a row were taken by another program"):
        build(engine=command("--taken", "always"))


def test_two_engines_of_one_machine_never_share_a_port() -> None:
    from evalsuite.engine.serving import _claimed_port

    claims = [_claimed_port() for _ in range(40)]
    assert len({port for port, _ in claims}) == 40
    for _, claim in claims:
        if claim is not None:
            claim.close()
            Path(claim.name).unlink()


def test_no_engine_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import time\nfrom evalsuite.engine.serving import EngineProcess\n"
        f"engine = EngineProcess({shlex.split(command('--pids', str(pids)))!r})\n"
        "engine.start()\nprint('healthy', flush=True)\ntime.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "healthy"
    assert len(living(pids)) == 1
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert wait_until_gone(pids) == []
