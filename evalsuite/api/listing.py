"""What there is: tasks, models, suites, published numbers, weights, data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.api.common import registry_of

if TYPE_CHECKING:
    import pandas

    from evalsuite.registry import Registry


def list_published(files: Iterable[Path | str] = (), registry: Registry | None = None) -> pandas.DataFrame:
    """Published numbers, one row per cell: table, model, column, task, protocol, metric, value, confidence.

    `value` is as the paper prints it.

    Args:
        files: YAML files with published numbers of one's own.
    """
    import pandas

    from evalsuite.published import publications

    rows = [
        (
            f"{one.name}/{name}", row.model, label, column.task, column.protocol, column.metric, cell.value,
            cell.confidence, one.source,
        )
        for one in publications(registry_of(registry), map(Path, files)).values()
        for name, table in one.tables.items()
        for row in table.rows
        for label, column in table.columns.items()
        if (cell := row.cell(label)) is not None
    ]  # fmt: skip
    names = ["table", "model", "column", "task", "protocol", "metric", "value", "confidence", "source"]
    return pandas.DataFrame(rows, columns=names)


def list_tasks(registry: Registry | None = None) -> pandas.DataFrame:
    """The tasks there are, one row each: name, family, what it needs of a model, metrics, protocols, rules,
    title."""
    import pandas

    rows = [
        (
            entry.name, entry.family, entry.capability, entry.needs,
            tuple(metric.name for metric in entry.metrics), entry.protocols, entry.rules, entry.title,
        )
        for entry in registry_of(registry).tasks.values()
    ]  # fmt: skip
    columns = ["name", "family", "capability", "needs", "metrics", "protocols", "rules", "title"]
    return pandas.DataFrame(rows, columns=columns)


def list_models(registry: Registry | None = None) -> pandas.DataFrame:
    """The models there are, one row each: name, capabilities, whether it takes an argument, title."""
    import pandas

    rows = [
        (entry.name, tuple(sorted(entry.capabilities)), entry.takes_argument, entry.title)
        for entry in registry_of(registry).models.values()
    ]
    return pandas.DataFrame(rows, columns=["name", "capabilities", "takes_argument", "title"])


def list_suites(registry: Registry | None = None) -> pandas.DataFrame:
    """The suites there are, one row each: name, tasks, models, title."""
    import pandas

    rows = [
        (entry.name, tuple(task.name for task in entry.tasks), entry.models, entry.title)
        for entry in registry_of(registry).suites.values()
    ]
    return pandas.DataFrame(rows, columns=["name", "tasks", "models", "title"])


def list_weights() -> pandas.DataFrame:
    """Published weights of the networks that metrics use, one row each: name, size, group,
    licence, sha256, here.

    `licence` and `sha256` are empty where none is stated or known; a digest may be its first digits.
    `group` is the name under which files that one network needs are fetched together; `here` is where they
    lie on this machine, None where they do not.
    """
    import pandas

    from evalsuite.features.catalogue import FILES, GROUPS, LICENCES, REPOSITORIES
    from evalsuite.features.fetching import present

    groups = {name: group for group, names in GROUPS.items() for name in names}
    sizes = {file.name: file.size for file in FILES.values()} | dict(REPOSITORIES)
    licences = {file.name: file.licence for file in FILES.values()} | dict(LICENCES)
    digests = {file.name: file.sha256 for file in FILES.values()}
    rows = [
        (name, size, groups.get(name, ""), licences.get(name, ""), digests.get(name, ""), present(name))
        for name, size in sizes.items()
    ]
    return pandas.DataFrame(rows, columns=["name", "size", "group", "licence", "sha256", "here"])


def list_data(registry: Registry | None = None) -> pandas.DataFrame:
    """What is here of the benchmarks' data, one row each: task, family, state, samples, size, licence, where.

    `state` is `here`, `made when needed`, `incomplete`, `missing`, or `unknown` where a task does not say;
    `samples` is the official number, `where` the folder, or where to get the data. Looks for files only; see
    `check_data`.
    """
    import pandas

    from evalsuite.data.hub import offline

    rows: list[tuple[str, str, str, int | None, str, str, str]] = []
    with offline():
        for entry in sorted(registry_of(registry).tasks.values(), key=lambda one: (one.family, one.name)):
            report = entry.inspect(None, False) if entry.inspect else None
            if report is None:
                rows.append((entry.name, entry.family, "unknown", None, "", "", ""))
                continue
            source = report.used or report.sources[0]
            where = str(source.folder or "") if report.used else source.get
            rows.append(
                (entry.name, entry.family, report.state, report.expected, source.size, report.licence, where)
            )
    return pandas.DataFrame(
        rows, columns=["task", "family", "state", "samples", "size", "licence", "where"]
    ).astype({"samples": "Int64"})
