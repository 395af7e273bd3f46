"""Aggregations of rows, declared under `metrics:` in a benchmark's file.

    metrics:
      - {name: accuracy, scale: 100}                                            # mean over samples
      - {name: accuracy+, all_of: accuracy, by: [category, image], scale: 100}  # 1 where all of a group are
      - {name: MME-P, sum_over: category, of: [accuracy, accuracy+], where: {category: [existence, count]}}
      - {name: Total, mean_over: subtask, of: accuracy, headline: true, scale: 100}

Four verbs, which nest (`of` may hold a name or another aggregation):

* *mean* (no verb): the mean of a column over samples; of several columns, the mean of their values;
* `all_of`: the mean over groups of samples of whether every sample of the group scores 1;
* `sum_over`: the sum over a label's values, of the value (or the sum of the values) of `of` within each;
* `mean_over`: the same, averaged over the label's values.

`where` keeps the samples whose labels have one of the named values; `where_not` drops those that match all of
its conditions. `round: 3` rounds the value (of a part, where a published number is made of rounded parts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evalsuite.errors import SpecError, suggest
from evalsuite.task.types import Metric

VERBS: Mapping[str, str] = {
    "of": "the mean of a column over samples, or of several values",
    "all_of": "the mean over groups (`by`) of whether every sample of the group scores 1",
    "sum_over": "the sum over a label's values of what `of` is within each",
    "mean_over": "the mean over a label's values of what `of` is within each",
}
"""What `evalsuite list aggregates` shows."""

SAMPLE = "sample"
"""A label that every sample has: its id."""


class Aggregate(BaseModel):
    """One aggregation; see the module. `of` refers to columns of the scores and to other metrics by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: tuple[str | Aggregate, ...] = ()
    all_of: str = ""
    by: tuple[str, ...] = ()
    """Labels that form the groups of `all_of`."""
    size: int | None = Field(default=None, ge=1)
    """Members of a complete group of `all_of`; by default as many as the data hold."""
    sum_over: str = ""
    mean_over: str = ""
    round: int | None = Field(default=None, ge=0)
    """Digits that the value is rounded to, where a published number is made of rounded ones."""
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    where_not: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("of", "by", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list | tuple) else (value,)

    @field_validator("where", "where_not", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            label: tuple(map(_text, wanted)) if isinstance(wanted, list | tuple) else (_text(wanted),)
            for label, wanted in value.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        verbs = [name for name in ("all_of", "sum_over", "mean_over") if getattr(self, name)]
        if len(verbs) > 1:
            raise ValueError(f"{' and '.join(verbs)} cannot stand together; nest one in the other's `of`")
        if bool(self.all_of) != bool(self.by):
            raise ValueError("all_of and by belong together: name the column and the labels of a group")
        if self.all_of and self.of:
            raise ValueError("all_of names its column itself: leave out `of`")
        if (self.sum_over or self.mean_over) and not self.of:
            raise ValueError(f"{verbs[0]} needs `of`: what is to be computed for each {self.over}")
        if self.size is not None and not self.all_of:
            raise ValueError("size is that of a group: it belongs to all_of")
        return self

    @property
    def over(self) -> str:
        """The label of `sum_over` or `mean_over`."""
        return self.sum_over or self.mean_over

    @property
    def plain(self) -> bool:
        """Whether nothing is said: the mean of the column of the metric's own name."""
        return not (
            self.of or self.all_of or self.over or self.where or self.where_not or self.round is not None
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it reads itself, not those of nested ones."""
        return tuple(
            dict.fromkeys([*self.by, *([self.over] if self.over else []), *self.where, *self.where_not])
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns and metrics that it refers to itself."""
        return (self.all_of,) if self.all_of else tuple(one for one in self.of if isinstance(one, str))

    def nested(self) -> Iterator[Aggregate]:
        """Itself and the aggregations inside it."""
        yield self
        for one in self.of:
            if isinstance(one, Aggregate):
                yield from one.nested()


class MetricSpec(Aggregate):
    """A column of the leaderboard as a file declares it; see `evalsuite.task.Metric` and `Aggregate`."""

    name: str
    scale: float = 1.0
    higher_is_better: bool = True
    headline: bool = False
    digits: int = 1
    exceeds_one: bool = False

    def metric(self) -> Metric:
        return Metric(
            self.name, self.scale, self.higher_is_better, self.headline, self.digits, self.exceeds_one
        )


def leaves(name: str, metrics: Mapping[str, MetricSpec]) -> frozenset[str]:
    """The columns that a metric is made of in the end."""
    found: set[str] = set()
    seen: set[str] = set()

    def follow(part: str, inside: str) -> None:
        spec = metrics.get(part)
        if part == inside or spec is None or spec.plain:
            found.add(part)
        elif part not in seen:
            seen.add(part)
            for one in spec.nested():
                for operand in one.names or ((part,) if not one.of else ()):
                    follow(operand, part)

    follow(name, "")
    return frozenset(found)


def check_aggregates(where: str, metrics: Iterable[MetricSpec], columns: Iterable[str]) -> None:
    """Checks what declared aggregations refer to, before anything is measured.

    Args:
        where: the benchmark's name, for messages.
        columns: the score columns that the family's rows have.

    Raises:
        SpecError: a name that is neither a column nor a metric, metrics that refer to each other in a circle,
            or groups over what is not a column of samples.
    """
    specs = {spec.name: spec for spec in metrics}
    known = {*columns, *specs}

    def follow(name: str, path: tuple[str, ...]) -> None:
        spec = specs.get(name)
        if spec is None or (spec.plain and name in columns):
            return
        for one in spec.nested():
            if one is not spec and not one.of and not one.all_of:
                raise SpecError(f"{where}: an aggregation inside {name!r} does not say `of` what it is.")
            for part in one.names:
                if part not in known:
                    raise SpecError(
                        f"{where}: the metric {name!r} aggregates {part!r}, which is neither a column of its "
                        "scores nor a metric.",
                        suggest(part, known),
                    )
                if part == name and part in columns:
                    continue  # restricts the column of its own name
                if part in (*path, name):
                    raise SpecError(f"{where}: the metric {part!r} refers to itself.", "Break the circle.")
                if one.all_of and part in specs and specs[part].over:
                    raise SpecError(
                        f"{where}: all_of of {name!r} needs scores of samples, and {part!r} is a number over "
                        "many.",
                        "Name a column.",
                    )
                follow(part, (*path, name))

    columns = frozenset(columns)
    for name, spec in specs.items():
        if spec.plain and name not in columns:
            raise SpecError(
                f"{where}: nothing computes the metric {name!r}.",
                f"{suggest(name, columns)} Or say how it is aggregated: {', '.join(VERBS)}.",
            )
        follow(name, ())


def _text(value: Any) -> str:
    # YAML reads a bare yes or no as a boolean.
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


Population = Callable[[], Iterable[tuple[str, Mapping[str, str]]]]
"""Gives id and labels of every sample of the data, asked or not."""

__all__: Sequence[str] = (
    "SAMPLE",
    "VERBS",
    "Aggregate",
    "MetricSpec",
    "Population",
    "check_aggregates",
    "leaves",
)
