"""What a file of published numbers may say: a publication, its tables, their columns, rows and cells."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Confidence = Literal[
    "printed", "noted", "quoted", "derived", "recalled-high", "recalled-medium", "recalled-low", "measured"
]
CONFIDENCE: Mapping[str, str] = MappingProxyType(
    {
        "printed": "read in the publication itself",
        "noted": "read in notes that were made from the publication",
        "quoted": "quoted by another public source",
        "derived": "forced by arithmetic: the only counts that give the printed digits",
        "recalled-high": "from memory, hardly in doubt",
        "recalled-medium": "from memory, to be checked before it is relied on",
        "recalled-low": "from memory, doubtful",
        "measured": "measured with evalsuite, stored in this repository",
    }
)
"""How a number is known, from best to worst."""

BLANK, UNKNOWN = "-", "unknown"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Substitute(_Strict):
    """What is measured where the published thing itself cannot be."""

    task: str
    protocol: str = ""
    """Empty: that of the column."""
    why: str


class PublishedColumn(_Strict):
    """One column of a table, and what evalsuite measures for it."""

    title: str = ""
    task: str = ""
    """Task that gives this number; empty where none does, and `reason` then says why."""
    metric: str = ""
    group: str = ""
    """Breakdown of the metric, e.g. `L2=logic_reasoning`."""
    protocol: str = ""
    """Protocol that the number was measured with; empty: not known."""
    rules: str = "official"
    options: dict[str, str] = Field(default_factory=dict)
    """Task options, e.g. shots."""
    digits: int = Field(default=1, ge=0)
    """Digits after the point, as printed."""
    instead: Substitute | None = None
    unknown: tuple[str, ...] = ()
    """Parts of the publication's protocol that are not public: a difference then proves nothing."""
    reason: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> PublishedColumn:
        if self.task and not self.metric:
            raise ValueError("a column with a task needs a metric")
        if not self.task and not self.reason:
            raise ValueError("a column without a task needs a reason")
        return self


class PublishedCell(_Strict):
    """One printed number, as printed (percent where the table has percent)."""

    value: float
    confidence: Confidence
    source: str = ""
    note: str = ""


class PublishedRow(_Strict):
    """A model's line in a table."""

    model: str
    confidence: Confidence
    """Of all cells that do not say otherwise."""
    source: str = ""
    note: str = ""
    measure: str = ""
    """The model as `evalsuite run --model` takes it, where there is one."""
    billions: float | None = Field(default=None, gt=0)
    """Parameters in 10^9, to distinguish models that cannot be the same."""
    cells: dict[str, float | str | dict[str, Any]]
    """Column -> number, `-` (blank in the table), `unknown`, or a cell in full."""

    def cell(self, column: str) -> PublishedCell | None:
        """The number in a column; None where it is blank or unknown."""
        found = self.cells.get(column, BLANK)
        if isinstance(found, str):
            return None
        given = found if isinstance(found, dict) else {"value": found}
        return PublishedCell(**{"confidence": self.confidence, "source": self.source, **given})

    @model_validator(mode="after")
    def _known(self) -> PublishedRow:
        for name, found in self.cells.items():
            if isinstance(found, str) and found not in (BLANK, UNKNOWN):
                raise ValueError(f"cells.{name}: {found!r} is not a number, {BLANK!r} or {UNKNOWN!r}")
            self.cell(name)
        return self


class PublishedTable(_Strict):
    """A table of a publication."""

    title: str
    columns: dict[str, PublishedColumn] = Field(min_length=1)
    rows: tuple[PublishedRow, ...] = Field(min_length=1)
    subject: str = ""
    """Row that a model given with `--model` is compared with by default; empty: the first."""
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> PublishedTable:
        names = [row.model for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError(
                f"a model occurs twice: {', '.join(sorted(n for n in names if names.count(n) > 1))}"
            )
        for row in self.rows:
            for name in row.cells:
                if name not in self.columns:
                    raise ValueError(f"row {row.model!r} has a cell {name!r}, which is not a column")
        if self.subject and self.subject not in names:
            raise ValueError(f"subject {self.subject!r} is not a row")
        return self

    def row(self, model: str) -> PublishedRow | None:
        """The row of that name."""
        return next((row for row in self.rows if row.model == model), None)


class Publication(_Strict):
    """A paper, or a set of numbers of our own."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    source: str
    """Where it was published."""
    note: str = ""
    tables: dict[str, PublishedTable] = Field(min_length=1)
