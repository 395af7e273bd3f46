"""How like the beginning the results of a cycle's steps are, generation by generation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.errors import SampleError, SpecError
from evalsuite.request import Response
from evalsuite.task import MetricSpec, Sample, SampleScore, Statistic
from evalsuite.task.aggregates import leaves
from evalsuite.task.metrics import drift_decay
from evalsuite.task.networks import Columns, cosines
from evalsuite.task.readers import decode

from .calls import Call, given_images, written
from .records import CycleSample
from .settings import Settings
from .similarity_settings import Decay, Nearest, Similarity

if TYPE_CHECKING:
    import numpy as np

GENERATION = "generation"
_TEXT = "caption"


def needed_networks(metrics: Iterable[MetricSpec], settings: Settings) -> dict[str, tuple[str, ...]]:
    """Metric -> the networks that it needs. Raises SpecError for a decay of what is no similarity."""
    specs = {spec.name: spec for spec in metrics}
    of = {name: {one.network for one in several} for name, several in settings.similarities.items()}
    of |= {name: {one.network} for name, one in settings.nearest.items()}
    of |= {name: {one.network} for one in settings.nearest.values() for name in one.both}
    found = {}
    for name in specs:
        if name in settings.decays:
            columns = settings.decays[name].of
            if unknown := [one for one in columns if one not in settings.similarities]:
                raise SpecError(f"settings.decays: {name}: there is no similarity {unknown[0]!r}.")
        else:
            columns = tuple(sorted(leaves(name, specs)))
        if keys := {key for one in columns for key in of.get(one, ())}:
            found[name] = tuple(sorted(keys))
    return found


class Similarities:
    """Rows and statistics of a cycle's similarities, of those whose networks are here."""

    def __init__(self, columns: Columns, settings: Settings) -> None:
        self._columns = columns
        here = columns.networks
        self._how = {
            name: several
            for name, several in settings.similarities.items()
            if all(how.network in here for how in several)
        }
        self._nearest = {name: how for name, how in settings.nearest.items() if how.network in here}
        self._decays = {name: how for name, how in settings.decays.items() if name in columns.names}

    def rows(
        self,
        sample: Sample,
        calls: Sequence[Call],
        responses: Sequence[Response],
        asked: Sequence[SampleScore],
    ) -> list[SampleScore]:
        """A row per result that is compared.

        Args:
            asked: the rows of the sample's answers.

        Raises SampleError where an image is broken, or the sample lacks what results are compared with.
        """
        found: list[SampleScore] = []
        for name, several in self._how.items():
            rows = [row for how in several for row in self._column(sample, name, how, calls, responses)]
            found += [replace(row, id=f"{sample.id}/{name}#{k + 1}") for k, row in enumerate(rows)]
        for name, near in self._nearest.items():
            found.append(self._like(sample, name, near, calls, responses, (*asked, *found)))
        return found

    def _column(
        self, sample: Sample, name: str, how: Similarity, calls: Sequence[Call], responses: Sequence[Response]
    ) -> list[SampleScore]:
        places: list[int] = []
        results: list[Any] = []
        for call, response in zip(calls, responses, strict=True):
            if call.step.called != how.of:
                continue
            given = [written(call, response)] if call.step.verb == _TEXT else given_images(call, response)
            results += given
            places += [call.place] * len(given)
        if not results or (how.optional and not self._has(sample.record, how.to)):
            return []
        began = self._features(how.network, [self._beginning(sample.record, how.to)])
        values = cosines(self._features(how.network, results), began.repeat(len(results), axis=0))
        return [
            SampleScore(
                sample.id,
                {name: float(value)},
                sample.id,
                {**sample.labels, "step": how.of, GENERATION: str(place)},
            )
            for place, value in zip(places, values, strict=True)
        ]

    def _like(
        self,
        sample: Sample,
        name: str,
        near: Nearest,
        calls: Sequence[Call],
        responses: Sequence[Response],
        earlier: Sequence[SampleScore],
    ) -> SampleScore:
        record: CycleSample = sample.record
        made: list[str | Image] = []
        for call, response in zip(calls, responses, strict=True):
            if call.step.called == near.of:
                text = call.step.verb == _TEXT
                made += [written(call, response)] if text else given_images(call, response)
        if not made:
            raise SampleError(f"no step {near.of!r} gave an image or a text")
        own, right = made[-1], 0.0
        others = [self._beginning(record, one) for one in near.among if self._has(record, one)]
        if not isinstance(own, str) or own.strip():
            mine = self._features(near.network, [own]).repeat(len(others), axis=0)
            values = cosines(self._features(near.network, others), mine)
            right = float(int(values.argmax()) == 0)
        both = {}
        for column, other in near.both.items():
            if given := [row.values[other] for row in earlier if other in row.values]:
                both[column] = min(right, *given)
        labels = {**sample.labels, "step": near.of}
        return SampleScore(f"{sample.id}/{name}", {name: right, **both}, sample.id, labels)

    @staticmethod
    def _has(record: CycleSample, name: str) -> bool:
        return name in record.fields or bool(record.images.get(name))

    @staticmethod
    def _beginning(record: CycleSample, name: str) -> str | Image:
        """A text or image of the sample. Raises SampleError where there is none."""
        if name in record.fields:
            return record.fields[name]
        if record.images.get(name):
            return record.images[name][0]
        raise SampleError(f"the sample has no {name!r} to compare results with")

    def _features(self, key: str, results: Sequence[str | Image]) -> np.ndarray:
        """(n, dim) of texts or of images."""
        texts = [one for one in results if isinstance(one, str)]
        if texts:
            return self._columns.text_network(key).texts(texts)
        return self._columns.network(key).images([decode(one) for one in results if isinstance(one, Image)])

    def decays(self, rows: Sequence[SampleScore]) -> list[Statistic]:
        """The declared parameters of curves through mean similarities."""
        found = []
        for name, how in self._decays.items():
            statistic = _decay(self._columns, name, how, rows)
            if statistic is not None:
                found.append(statistic)
        return found


def _decay(columns: Columns, name: str, how: Decay, rows: Sequence[SampleScore]) -> Statistic | None:
    import numpy as np

    metric = next(one for one in columns.info.metrics if one.name == name)
    members = [i for i, row in enumerate(rows) if any(column in row.values for column in how.of)]
    if not members:
        return None
    codes = np.array([next(k for k, c in enumerate(how.of) if c in rows[i].values) for i in members])
    values = np.array([rows[i].values[how.of[code]] for i, code in zip(members, codes, strict=True)])
    generations = np.array([int(rows[i].labels[GENERATION]) for i in members])
    parameter = "abc".index(how.parameter)

    def value(chosen: Any) -> float:
        fits = []
        for code in range(len(how.of)):
            inside = chosen[codes[chosen] == code]
            when = np.unique(generations[inside])
            means = [float(values[inside][generations[inside] == one].mean()) for one in when]
            try:
                fits.append(drift_decay([int(one) for one in when], means)[parameter])
            except SampleError:
                return float("nan")
        return float(np.mean(fits))

    return Statistic(metric, members, value)


__all__: Sequence[str] = ("Similarities", "needed_networks")
