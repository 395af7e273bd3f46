"""A task of a run as a log of Inspect, written with Inspect's own types, so that its viewer opens it."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.content import Image, Text
from evalsuite.data.images import decode
from evalsuite.durable import writing
from evalsuite.errors import DataError, UnavailableError
from evalsuite.notebook.sample import SampleView, Turn, views
from evalsuite.registry import Registry
from evalsuite.store import RunReader, TaskResult

KINDS = (".eval", ".json")
_BLOCK = 20_000


def write_log(run: RunReader, task: str, out: Path, registry: Registry | None) -> int:
    """Writes the log; returns the number of samples.

    A sample holds its last conversation with its images, the answer, a score per column with what the scorer
    understood, and its labels as metadata; a failed one its error. The numbers are results with their
    standard errors.

    Raises UnavailableError where inspect_ai is not installed.
    """
    try:
        from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSpec, EvalStats, write_eval_log
    except ImportError as error:
        raise UnavailableError(
            f"Inspect's logs need the package inspect_ai ({error}).", "pip install 'evalsuite[inspect]'"
        ) from error
    record = run.manifest.task(task)
    info, spec, model = record.info, run.spec, run.manifest.model
    session = run.manifest.sessions[-1] if run.manifest.sessions else None
    own = [r for r in run.metrics() if (r.task, r.rules) == (task, info.rules)]
    ids = sorted({one.sample for one in run.records(task)})
    samples = list(_samples(run, task, ids, registry))
    done = len(samples) == record.total and bool(own)
    log = EvalLog(
        status="success" if done else "cancelled",
        eval=EvalSpec(
            created=session.started if session else "1970-01-01T00:00:00+00:00",
            task=task,
            task_version=info.version,
            task_display_name=info.title or None,
            dataset=EvalDataset(
                name=info.name, location=info.source or None, samples=record.available, sample_ids=list(ids),
                shuffled=False,
            ),
            model=f"evalsuite/{run.model_name}",
            model_args=dict(spec.model.options),
            task_args={
                "protocol": info.protocol, "rules": info.rules, "judge": info.judge, "split": info.split,
                "data": record.data_fingerprint,
            },
            config=EvalConfig(limit=spec.limit, epochs=1),
            packages={"evalsuite": run.manifest.evalsuite},
            metadata={"seed": spec.seed, "fingerprint": model.fingerprint if model else ""},
        ),
        results=_results(own[0], len(samples)) if own else None,
        stats=EvalStats(
            started_at=session.started if session else "", completed_at=session.ended if session else ""
        ),
        samples=samples,
    )  # fmt: skip
    with writing(out) as temporary:
        write_eval_log(log, str(temporary), format="eval" if out.suffix == ".eval" else "json")
    return len(samples)


def _results(result: TaskResult, total: int) -> Any:
    from inspect_ai.log import EvalMetric, EvalResults, EvalScore
    from scipy.special import ndtri

    scores = []
    for name in dict.fromkeys(e.metric.name for e in result.estimates):
        metrics: dict[str, EvalMetric] = {}
        for one in result.estimates:
            if one.metric.name != name or not math.isfinite(one.value):
                continue
            key = one.group or "mean"
            metrics[key] = EvalMetric(name=key, value=one.value)
            width = one.high - one.low
            if math.isfinite(width):
                error = width / (2 * float(ndtri((1 + one.level) / 2)))
                metrics[f"{key} stderr" if one.group else "stderr"] = EvalMetric(
                    name=f"{key} stderr" if one.group else "stderr", value=error
                )
        scores.append(
            EvalScore(
                name=name, scorer=name, scored_samples=result.n, unscored_samples=result.failures,
                metrics=metrics, params={"rules": result.info.rules},
            )
        )  # fmt: skip
    return EvalResults(total_samples=result.total, completed_samples=total, scores=scores)


def _samples(run: RunReader, task: str, ids: list[str], registry: Registry | None) -> Iterator[Any]:
    for start in range(0, len(ids), _BLOCK):
        for view in views(run, task, ids[start : start + _BLOCK], registry):
            yield _sample(run, view)


def _sample(run: RunReader, view: SampleView) -> Any:
    from inspect_ai.log import EvalError, EvalSample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput
    from inspect_ai.scorer import Score

    last = view.turns[-1] if view.turns else Turn(None, None)
    kinds: dict[str, Any] = {
        "user": ChatMessageUser, "assistant": ChatMessageAssistant, "system": ChatMessageSystem
    }  # fmt: skip
    messages = [
        kinds[message.role](content=[_content(part) for part in message.parts])
        for message in (last.request.messages if last.request else ())
    ]
    asked = list(messages) or view.prompt
    if last.response is not None:
        drawn = [_content(image) for image in last.drawn]
        answer: Any = [_content(Text(last.answered)), *drawn] if drawn else last.answered
        messages.append(ChatMessageAssistant(content=answer, source="generate"))
    failure = view.failure or next((turn.error for turn in view.turns if turn.error), "")
    return EvalSample(
        id=view.id,
        epoch=1,
        input=asked,
        target=view.expected or (json.dumps(view.reference, default=str) if view.reference else ""),
        messages=messages,
        output=ModelOutput.from_content(run.model_name, view.answer),
        scores={
            name: Score(value=value, answer=view.parsed or view.answer) for name, value in view.scores.items()
        },
        metadata=dict(view.labels),
        error=EvalError(message=failure, traceback="", traceback_ansi="") if failure else None,
    )


def _content(part: Any) -> Any:
    from inspect_ai.model import ContentImage, ContentText

    if isinstance(part, Text):
        return ContentText(text=part.text)
    if isinstance(part, Image):
        try:
            return ContentImage(image=_data_url(part))
        except DataError as error:
            return ContentText(text=f"[image: {error.what}]")
    return ContentText(text=str(part))


def _data_url(image: Image) -> str:
    """The image as it is where browsers show its kind, else as PNG."""
    data = image.read()
    kinds = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
    kind = next((name for head, name in kinds.items() if data.startswith(head)), "")
    if not kind:
        stream = io.BytesIO()
        decode(image).convert("RGB").save(stream, "PNG")
        data, kind = stream.getvalue(), "png"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
