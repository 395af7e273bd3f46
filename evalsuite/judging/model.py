"""A model of the registry as a judge: any adapter that writes text, batched as in a run, in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

from evalsuite.cache import cache_folder
from evalsuite.endpoint.types import Chat, Reply
from evalsuite.engine import LocalExecutor, Worker, sizes_for
from evalsuite.engine.batching import Window
from evalsuite.engine.plan import Item
from evalsuite.engine.prepare import Ready, error_text
from evalsuite.errors import DataError, SampleError, SpecError, UnavailableError
from evalsuite.judging.likelihood import likelihood_reply
from evalsuite.model import METHODS, Model, ModelInfo
from evalsuite.request import (
    ChoiceResponse,
    GenerateText,
    Request,
    Response,
    ScoreChoices,
    TextResponse,
)
from evalsuite.running.resolving import build_model
from evalsuite.spec import ModelSpec, RunSpec, slug
from evalsuite.task import Sample

if TYPE_CHECKING:
    from evalsuite.registry import Registry

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_WAITING = 256
"""Questions that wait for a batch: enough that batches of like cost are full."""
_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """Which model judges, and how it is asked.

    Args:
        spec: the model, as for a run.
        batch_size: upper limit; `auto` finds what fits.
        max_tokens: limit on a reply where the benchmark's protocol leaves it to the server.
    """

    spec: ModelSpec
    batch_size: int | Literal["auto"] = 32
    max_tokens: int = 1024

    @property
    def model(self) -> str:
        """The judge's name in the run, without this machine's paths."""
        return slug(self.spec.name)


def require_judge(judge: ModelJudge, registry: Registry) -> None:
    """Raises SpecError for a model that does not write text, is an upper bound, or has no such option."""
    entry, _ = registry.model(judge.spec.name)
    if "text" not in entry.capabilities or entry.reads_annotations:
        raise SpecError(
            f"Model {judge.spec.name!r} cannot judge: a judge reads a question and writes text.",
            "See `evalsuite list models`, column text.",
        )
    entry.check_options(judge.spec.options)


class LocalJudge:
    """A model that is asked in this process; it is loaded at the first question.

    A batch of questions goes through the engine's worker: it is halved where memory runs out, compared with
    single questions at the start, and an error costs the question that caused it.

    Raises:
        SpecError: the model does not write text, is an upper bound, or has no such option.
    """

    def __init__(self, judge: ModelJudge, registry: Registry) -> None:
        require_judge(judge, registry)
        self._scores_choices = scores_choices(judge, registry)
        self._judge = judge
        self._registry = registry
        self._loaded: tuple[Model, LocalExecutor] | None = None

    def each(
        self, items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]
    ) -> Iterator[tuple[_Item, _Result | SampleError]]:
        """Does `work` for each item; whatever waits for an answer is asked together. As `Endpoint.each`.

        Raises UnavailableError when the model can answer nothing more; what was answered is yielded first.
        """
        left = iter(items)
        waiting: list[tuple[_Item, Coroutine[_Turn, Reply, _Result], _Turn]] = []
        asked = waiting
        fatal: UnavailableError | None = None
        try:
            while True:
                for item in islice(left, _WAITING - len(waiting)):
                    yield from _stepped(item, cast("Any", work(item)), None, waiting)
                if not waiting:
                    return
                asked, waiting = waiting, []
                # Batch by batch: what is answered is stored before the next batch is asked.
                for place, reply in self._answers([turn for _, _, turn in asked]):
                    item, routine, _ = asked[place]
                    if isinstance(reply, UnavailableError):
                        fatal = fatal or reply
                        routine.close()
                    else:
                        yield from _stepped(item, routine, reply, waiting)
                if fatal is not None:
                    raise fatal
        finally:
            for _, routine, _ in (*asked, *waiting):
                routine.close()

    async def ask(self, chat: Chat, seed: int) -> Reply:
        """One reply; sampling is seeded, so that a second pass may say something else."""
        return await _Turn(chat, seed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loaded = None

    def _load(self) -> tuple[Model, LocalExecutor]:
        if self._loaded is None:
            model = build_model(RunSpec(model=self._judge.spec, tasks=()), self._registry)
            sizes = sizes_for(self._judge.batch_size, model.info, cache_folder())
            self._loaded = model, LocalExecutor(Worker(model), sizes)
        return self._loaded

    def _answers(
        self, turns: Sequence[_Turn]
    ) -> Iterator[tuple[int, Reply | SampleError | UnavailableError]]:
        """Places of the questions with what the model replies, as batches end; an UnavailableError for all
        that it left open."""
        model, executor = self._load()
        left = dict.fromkeys(range(len(turns)))
        window = Window("judging", len(turns), _BYTES)
        for place, turn in enumerate(turns):
            try:
                window.add(self._ready(model, place, turn))
            except Exception as error:  # an adapter that stumbles over a question costs that question only
                del left[place]
                yield place, SampleError(error_text(error))
        stop: UnavailableError | None = None
        for batch in window.cut(executor.limit, everything=True):
            for result in executor.execute([batch]):
                for ready, outcome in zip(result.batch.items, result.outcomes, strict=True):
                    place = ready.item.step
                    del left[place]
                    choices = turns[place].chat.choices
                    yield place, self._reply(model, choices, outcome.response, outcome)
                stop = stop or result.stop
            if stop is not None:
                break
        for place in left:
            yield place, stop or UnavailableError(f"{self._judge.spec.name} gave no answer.")

    def _ready(self, model: Model, place: int, turn: _Turn) -> Ready:
        request = request_of(
            turn.chat, turn.seed, self._judge.max_tokens, scores_choices=self._scores_choices
        )
        item = Item(Sample(str(place), None), place)
        method = METHODS[request.output.capability]
        return Ready(item, model.prepare(request), "", "", "", "", method, nbytes=0)

    def _reply(
        self, model: Model, choices: Sequence[str], response: Response | None, outcome: Any
    ) -> Reply | SampleError:
        said = said_by(response, choices)
        if said is None:
            return SampleError(outcome.error or "the judge's answer is no text")
        return reply_of(said, model.info, outcome.seconds)


def scores_choices(judge: ModelJudge, registry: Registry) -> bool:
    """Whether the judge can be asked for likelihoods."""
    return "choices" in registry.model(judge.spec.name)[0].capabilities


def request_of(chat: Chat, seed: int, max_tokens: int, *, scores_choices: bool) -> Request:
    """A question to the judge as a request to a model of the registry.

    Args:
        max_tokens: limit on the reply where the protocol leaves it to the server.
        scores_choices: the model can be asked for likelihoods.

    Raises SampleError where it asks for what only servers give, or for what the model cannot do.
    """
    if chat.logprobs is not None or chat.extra:
        what = "log-probabilities" if chat.logprobs is not None else ", ".join(chat.extra)
        raise SampleError(
            f"The protocol asks its judge for {what}, which only servers give.", "Judge with --judge."
        )
    if chat.choices:
        if not scores_choices:
            raise SampleError(
                "The protocol asks for likelihoods, and the judge scores no choices.",
                "Choose a judge that does: `evalsuite list models choices`.",
            )
        return Request(chat.messages, ScoreChoices(chat.choices), prefill=chat.prefill, seed=seed)
    output = GenerateText(
        max_new_tokens=max_tokens if chat.max_tokens is None else chat.max_tokens,
        temperature=chat.temperature or 0.0,
        top_p=1.0 if chat.top_p is None else chat.top_p,
        stop=tuple(chat.stop),
    )
    return Request(chat.messages, output, prefill=chat.prefill, seed=seed)


def said_by(response: Response | None, choices: Sequence[str]) -> TextResponse | None:
    """What a model replied, as text: log-likelihoods as `likelihood_reply` writes them. None: no reply."""
    if isinstance(response, ChoiceResponse) and choices:
        return TextResponse(likelihood_reply(dict(zip(choices, response.log_likelihoods, strict=True))))
    return response if isinstance(response, TextResponse) else None


def reply_of(response: TextResponse, info: ModelInfo, seconds: float) -> Reply:
    """The model's answer as a judge's reply; it is named with its weights: other weights under one name are
    another judge."""
    return Reply(
        text=response.text,
        finish_reason="length" if response.truncated else "stop",
        completion_tokens=response.tokens,
        model=f"{info.name}@{info.fingerprint[:8]}",
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """Awaited, it hands its question to whoever drives the coroutine, and gives the reply."""

    chat: Chat
    seed: int

    def __await__(self) -> Generator[_Turn, Reply, Reply]:
        return (yield self)


def _stepped(
    item: _Item,
    routine: Coroutine[_Turn, Any, _Result],
    reply: Reply | SampleError | None,
    waiting: list[tuple[_Item, Coroutine[_Turn, Reply, _Result], _Turn]],
) -> Iterator[tuple[_Item, _Result | SampleError]]:
    """Continues a coroutine: to its next question, which then waits, or to its end, which is yielded."""
    try:
        turn = routine.throw(reply) if isinstance(reply, SampleError) else routine.send(reply)
    except StopIteration as end:
        yield item, end.value
    except SampleError as error:
        yield item, error
    except DataError as error:
        yield item, SampleError(error.what, error.remedy)
    else:
        waiting.append((item, routine, turn))
