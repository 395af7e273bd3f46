"""An inference engine started with the worker, used like any server, restarted when it dies."""

from __future__ import annotations

import json
import logging
import shlex
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from evalsuite.errors import SampleError, SpecError, UnavailableError
from evalsuite.model import ModelInfo, ModelOptions, Prepared
from evalsuite.model.endpoint import EngineProcess, assigned_gpus
from evalsuite.request import Request, fingerprint

from ..options import check_known, integer, number
from ..server.chat import CHAT_OPTIONS, ServedChat
from ..server.serving import OPTIONS, extra_body
from . import presets, programs
from .presets import Preset

OWN = ("engine", "health", "startup_timeout", "restarts", "served_name", "engine_args")

_ASKED_AGAIN = 2
_PARALLEL = ("--tensor-parallel-size", "-tp", "--tp", "--pipeline-parallel-size", "-pp", "--pp")

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class ServedEngine:
    """A chat model on an engine that this process starts on its own device.

    Options: `engine`, the command with `{port}` and, where it wants them, `{model}`, `{dtype}` and
    `{device}`; `engine_args`, further arguments of its command; `health`, the path that says it is ready;
    `startup_timeout` in seconds (1800); `restarts` (3): how often it is started again when it dies;
    `served_name`, the model as the engine calls it, where that is not the argument. All options of `openai:`
    are passed on.

    With `--workers 8` there is one engine for each worker, on its GPU; `--gpus-per-worker 2` gives an engine
    two, which a preset spreads its model over.

    Args:
        preset: how the engine is started; `served:` has only the user's command.

    Raises:
        SpecError: there is no command, or it is no program; a device or dtype that the engine does not take.
        UnavailableError: the engine does not become healthy, or answers another model's name.
    """

    independent_requests = True

    def __init__(self, options: ModelOptions, preset: Preset = presets.OWN) -> None:
        given = dict(options.options)
        check_known(given, (*OWN, *OPTIONS, *CHAT_OPTIONS), "served")
        self._preset = replace(preset, lists_model=True) if "engine" in given else preset
        self._options = options
        words = self._command(given)
        restarts = integer(given, "restarts")
        self._restarts = 3 if restarts is None else restarts
        patience = number(given, "startup_timeout")
        self._words = words
        self._process = EngineProcess(
            programs.located([*words, *self._parallel(words)]),
            health=given.get("health", preset.health),
            patience=1800.0 if patience is None else patience,
        )
        self._served_name = given.get("served_name", "")
        self._passed = {name: value for name, value in given.items() if name not in OWN}
        self._body = {**preset.body, **extra_body(given.get("extra_body", ""))}
        if self._body:
            self._passed["extra_body"] = json.dumps(self._body)
        self._process.start()
        weakref.finalize(self, EngineProcess.stop, self._process)
        self._chat = self._connect()
        self._info = self._about()

    def _command(self, given: Mapping[str, str]) -> list[str]:
        """The engine's words, without what spreads it over GPUs: that changes from worker to worker."""
        command = given.get("engine", self._preset.command)
        if not command:
            raise SpecError(
                "served: needs the command that starts the engine.",
                "Write --option engine='vllm serve {model} --port {port}', or use vllm:MODEL.",
            )
        filled = {"model": self._options.argument}
        words = shlex.split(command)
        for name in ("dtype", "device"):
            value = getattr(self._options, name)
            if value == "auto":
                continue
            filled[name] = value
            if f"{{{name}}}" in command:
                continue
            extra = "" if "engine" in given else getattr(self._preset, name)
            if not extra:
                raise SpecError(
                    f"The engine's command takes no --{name} from evalsuite.",
                    "Leave it out, or say it in the engine's own words: --option engine_args=….",
                )
            words += shlex.split(extra)
        for name, value in filled.items():
            words = [word.replace(f"{{{name}}}", value) for word in words]
        return words + shlex.split(given.get("engine_args", ""))

    def _parallel(self, words: Sequence[str]) -> list[str]:
        """What spreads the model over the GPUs that this worker has; the user's own argument goes first."""
        extra = shlex.split(self._preset.parallel)
        gpus = assigned_gpus()
        if gpus < 2 or not extra or "engine" in self._options.options:
            return []
        if any(word.startswith(name) for word in words for name in _PARALLEL):
            return []
        return [word.replace("{gpus}", str(gpus)) for word in extra]

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        return self._chat.prepare(request)

    def probe(self, request: Request) -> list[str]:
        """Whether the engine can do what a task needs. Raises UnavailableError where it cannot."""
        return self._chat.probe(request)

    def generate_text(self, batch: Sequence[Prepared]) -> list[Any]:
        return self._answer(batch, lambda chat, items: chat.generate_text(items))

    def score_choices(self, batch: Sequence[Prepared]) -> list[Any]:
        return self._answer(batch, lambda chat, items: chat.score_choices(items))

    def _answer(
        self, batch: Sequence[Prepared], ask: Callable[[ServedChat, Sequence[Prepared]], Sequence[_Answer]]
    ) -> list[_Answer | UnavailableError]:
        """Answers, with what a dying engine left open asked again of a new one.

        A request whose connection broke while the engine died may have killed it: it is asked again at most
        twice, and then fails.
        """
        found: dict[int, _Answer] = {}
        broke: Counter[int] = Counter()
        waiting = list(range(len(batch)))
        while True:
            try:
                answers = ask(self._chat, [batch[i] for i in waiting])
            except UnavailableError:
                if self._revive():
                    continue
                if self._process.healthy(patience=1.0):
                    raise
                raise self._gone() from None
            found |= dict(zip(waiting, answers, strict=True))
            late = [i for i in waiting if isinstance(found[i], UnavailableError)]
            failed = [i for i in waiting if isinstance(found[i], SampleError)]
            broke.update(failed)
            waiting = sorted([*late, *(i for i in failed if broke[i] <= _ASKED_AGAIN)])
            if waiting and self._revive():
                continue
            if waiting and not self._process.healthy(patience=1.0):
                gone = self._gone()
                return [gone if i in waiting else found[i] for i in range(len(batch))]
            return [found[i] for i in range(len(batch))]

    def _gone(self) -> UnavailableError:
        """What is said of an engine that is not started again."""
        return UnavailableError(
            f"The engine died {self._ending()}.",
            f"What it printed is in {self._process.log}. Run the same command again, or allow more "
            "--option restarts=…",
        )

    def _ending(self) -> str:
        return self._process.ending() or f"(it does not answer: {self._process.last_words() or 'no output'})"

    def _revive(self) -> bool:
        """Starts the engine again when it has died or hangs; False when it is well, or has died too often."""
        if self._restarts <= 0 or self._process.healthy():
            return False
        self._restarts -= 1
        _log.warning("the engine died %s; restarting it", self._ending())
        self._process.stop()
        self._process.start()
        self._chat = self._connect()
        return True

    def _connect(self) -> ServedChat:
        name = self._name()
        options = {"base_url": self._process.base_url, **self._passed}
        return ServedChat(replace(self._options, argument=name, options=options))

    def _name(self) -> str:
        """The model as the engine calls it. Raises UnavailableError when it serves another one."""
        wanted = self._served_name or self._options.argument
        if not self._preset.lists_model:
            return wanted
        reply = self._process.get("/v1/models")
        try:
            listed = [str(one["id"]) for one in json.loads(reply or b"{}")["data"]]
        except (ValueError, KeyError, TypeError):
            return wanted
        if wanted in listed or not listed:
            return wanted
        if not self._served_name and len(listed) == 1 and _same_model(listed[0], wanted):
            return listed[0]
        self._process.stop()
        raise UnavailableError(
            f"The engine serves {', '.join(listed[:3])}, not {wanted}.",
            "Give the name it uses with --option served_name=…",
        )

    def _about(self) -> ModelInfo:
        info = self._chat.info
        details: Mapping[str, Any] = {name: value for name, value in info.details.items() if name != "server"}
        # The port differs at every start, and from worker to worker: it is no part of who answers.
        command = [word for word in self._words if "{port}" not in word]
        return ModelInfo(
            self._passed.get("name") or self._options.argument.rstrip("/").rpartition("/")[2],
            fingerprint([self._options.argument, command, *([self._body] if self._body else [])]),
            None,
            {**details, "engine": shlex.join(self._process.command), "engine_version": self._version()},
        )

    def _version(self) -> str:
        """As the engine tells it, else that of its package."""
        package = self._preset.package
        if "engine" in self._options.options:
            package = next((one for one in _PACKAGES if one in " ".join(self._words)), "")
        reply = self._process.get("/version")
        try:
            told = str(json.loads(reply or b"{}")["version"])
        except (ValueError, KeyError, TypeError):
            return programs.version_of(_PACKAGES.get(package, package), self._process.command)
        return f"{package} {told}".strip()


_PACKAGES = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llama_cpp": "llama_cpp_python",
    "transformers": "transformers",
}
"""Word of a command -> distribution."""


def _same_model(served: str, wanted: str) -> bool:
    """Engines that serve a file or folder call it by its path, its name, or the last part of it."""
    return wanted.rstrip("/").rpartition("/")[2] == served.rstrip("/").rpartition("/")[2]
