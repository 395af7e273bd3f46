"""The samples that changed sides: right before and wrong now, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evalsuite.errors import StoreError
from evalsuite.notebook.sample import SampleView, views
from evalsuite.store import RunReader

if TYPE_CHECKING:
    import pandas

    from evalsuite.comparison.checks import Compared
    from evalsuite.comparison.comparing import Comparison

Direction = Literal["right to wrong", "wrong to right", "worse", "better"]


@dataclass(frozen=True, slots=True)
class Flip:
    """A sample whose score changed.

    Args:
        direction: `right to wrong` and back where a score in [0, 1] crosses a half, else `worse`, `better`.
        metric: the score.
        before, after: of base and candidate, in natural units.
        base, candidate: the sample in both runs, with prompt, images and answers.
    """

    task: str
    id: str
    metric: str
    direction: Direction
    before: float
    after: float
    base: SampleView
    candidate: SampleView


def flips_of(comparison: Comparison, tasks: Sequence[str] | None, most: int) -> list[Flip]:
    """The samples with the largest changes of each task's headline score, worse ones first.

    Half of `most` are kept for each direction where both have so many. Of repeated runs the first on each
    side is shown. Tasks whose headline is no score of single samples (a distance) have none.
    """
    found: list[Flip] = []
    if most < 1:
        return found
    for row in comparison.rows:
        if not row.headline or (tasks is not None and row.task not in tasks):
            continue
        paths = [_path_with(row.task, side) for side in (comparison.base_paths, comparison.candidate_paths)]
        with RunReader(paths[0]) as base, RunReader(paths[1]) as candidate:
            chosen = _chosen(row, base, candidate, most)
            shown = [
                {view.id: view for view in views(reader, row.task, chosen.index, comparison.registry)}
                for reader in (base, candidate)
            ]
        for change in chosen.itertuples():
            name, ends = str(change.Index), (float(change.before), float(change.after))
            if name in shown[0] and name in shown[1]:
                both = shown[0][name], shown[1][name]
                found.append(Flip(row.task, name, row.metric.name, change.direction, *ends, *both))
    return found


def _path_with(task: str, paths: Sequence[Path]) -> Path:
    """The first run that has scored the task."""
    for path in paths:
        with RunReader(path) as reader:
            if any(result.task == task for result in reader.metrics()):
                return path
    raise StoreError(f"No run in {', '.join(map(str, paths))} has scores of {task!r} any more.", "Score it.")


def _chosen(row: Compared, base: RunReader, candidate: RunReader, most: int) -> pandas.DataFrame:
    """The changed samples by id: before, after, direction."""
    import pandas

    columns = []
    for reader in (base, candidate):
        table = reader.scores(row.task)
        name = f"value.{row.metric.name}"
        if name not in table:
            return pandas.DataFrame({"before": [], "after": [], "direction": []})
        columns.append(table[(table["failure"] == "") & table[name].notna()].set_index("id")[name])
    both = pandas.DataFrame({"before": columns[0], "after": columns[1]}).dropna()
    sign = 1 if row.metric.higher_is_better else -1
    both["gain"] = sign * (both["after"] - both["before"])
    both = both[both["gain"] != 0]
    unit = bool(both[["before", "after"]].stack().between(0, 1).all()) if len(both) else True
    crossed = ((both["before"] >= 0.5) != (both["after"] >= 0.5)) & unit
    both["direction"] = ""
    both.loc[both["gain"] < 0, "direction"] = "worse"
    both.loc[both["gain"] > 0, "direction"] = "better"
    both.loc[crossed & (both["gain"] < 0), "direction"] = "right to wrong"
    both.loc[crossed & (both["gain"] > 0), "direction"] = "wrong to right"
    # Crossings first, then the largest changes; ids make the order the same everywhere.
    both["crossed"] = crossed
    both["size"] = both["gain"].abs()
    both = both.sort_index().sort_values(["crossed", "size"], ascending=False, kind="stable")
    worse, better = both[both["gain"] < 0], both[both["gain"] > 0]
    room = max(most - most // 2, most - len(better))
    worse = worse.head(room)
    return pandas.concat([worse, better.head(most - len(worse))])
