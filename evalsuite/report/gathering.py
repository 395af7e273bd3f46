"""Which runs' answers stand on one page: those to the same samples, asked in the same way."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from evalsuite.errors import EvalsuiteError, is_interruption, reason_of
from evalsuite.registry import Registry
from evalsuite.report.labels import in_order, labels_of
from evalsuite.report.privacy import without_folders
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader, TaskResult
from evalsuite.store.manifest import TaskRecord
from evalsuite.task import Metric, Task, TaskInfo

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answers:
    """What one run answered to one task: a column of the task's page.

    Args:
        label: how the page calls it: the model's name; where that repeats, with step, seed or folder.
        spec: the task as the run asked for it.
        results: its numbers, one per set of rules it was scored by; empty when it is unscored.
        colour: index into the palette, the same on all pages.
    """

    reader: RunReader
    record: TaskRecord
    spec: TaskSpec
    results: tuple[TaskResult, ...]
    label: str = ""
    colour: int = 0

    @property
    def key(self) -> str:
        return self.record.key


def rules_of(info: TaskInfo) -> str:
    """The scoring rules with who judges: two judges are as different as two rules."""
    return f"{info.rules}, judge {info.judge}" if info.judge else info.rules


@dataclass(frozen=True)
class Page:
    """A task as one group of runs measured it: same version, split, data and protocol.

    Args:
        slug: its file's name, made of letters, digits, dots and dashes.
        title: the task's name, with what distinguishes it from other pages of the same task.
        registry: where the task's Python is.
    """

    slug: str
    title: str
    answers: tuple[Answers, ...]
    registry: Registry = field(repr=False)

    @property
    def info(self) -> TaskInfo:
        return self.answers[0].record.info

    @property
    def record(self) -> TaskRecord:
        return self.answers[0].record

    @property
    def draws(self) -> bool:
        return self.info.generates_images

    @property
    def rules(self) -> list[str]:
        """All rules, with their judges, that some run was scored by, the runs' own first."""
        own = [rules_of(a.record.info) for a in self.answers]
        found = [rules_of(result.info) for a in self.answers for result in a.results]
        kept = [rules for rules in own if rules in found] or own
        return list(dict.fromkeys([*kept, *found]))

    @property
    def metrics(self) -> dict[str, Metric]:
        """Metrics by name in the task's order."""
        infos = [*(result.info for a in self.answers for result in a.results), self.info]
        return {metric.name: metric for info in infos for metric in info.metrics}

    @property
    def unavailable(self) -> str:
        """Why there are no prompts and references, for readers elsewhere; empty where there are."""
        return without_folders(self.built[1])

    @cached_property
    def built(self) -> tuple[Task | None, str]:
        """The task, for prompts and references; None with the reason when it cannot be had."""
        reasons = []
        for answers in self.answers:  # the data may lie where another run had them
            task, reason = _build(answers, self.registry)
            if task is not None:
                return task, ""
            reasons.append(reason)
        return None, reasons[0]


def _build(answers: Answers, registry: Registry) -> tuple[Task | None, str]:
    try:
        task = build_task(answers.spec, registry)
        found = task.fingerprint()
    except EvalsuiteError as error:
        return None, str(error)
    except BaseException as error:  # a plugin of another version, a data file of another form
        if is_interruption(error):
            raise
        _log.debug("building %s failed", answers.key, exc_info=True)
        return None, f"The task cannot be built ({reason_of(error)})."
    measured = answers.record.data_fingerprint
    if found != measured:
        return None, f"The data here (fingerprint {found[:12]}) are not those measured ({measured[:12]})."
    version = answers.record.info.version
    if task.info.version != version:
        return None, f"The task is at version {task.info.version} here, the run at {version}."
    return task, ""


def gather(readers: Sequence[RunReader], registry: Registry, tasks: Iterable[str] = ()) -> list[Page]:
    """The pages of some runs, in the order in which their tasks first occur.

    Args:
        tasks: only tasks of these names; all when empty.
    """
    wanted = set(tasks)
    groups: dict[tuple[str, ...], list[Answers]] = {}
    for reader in readers:
        results = reader.metrics()
        pairs = zip(reader.manifest.tasks, task_keys(reader.spec), reader.spec.tasks, strict=True)
        for record, key, spec in pairs:
            if wanted and record.info.name not in wanted:
                continue
            found = tuple(result for result in results if result.task == key)
            groups.setdefault(_identity(record), []).append(Answers(reader, record, spec, found))
    colours: dict[str, int] = {}
    titles = _titles(list(groups))
    slugs: set[str] = set()
    pages = []
    for identity, answers in groups.items():
        labels = labels_of([answer.reader for answer in answers])
        labelled = []
        for i in in_order([answer.reader for answer in answers]):
            colour = colours.setdefault(labels[i], len(colours))
            labelled.append(replace(answers[i], label=labels[i], colour=colour))
        slug = _slug(titles[identity], slugs)
        pages.append(Page(slug, titles[identity], tuple(labelled), registry))
    return pages


_PARTS = ("", "protocol", "version", "split", "data")
"""In the order in which leaderboards name them, so that a page and its column have one title."""


def _identity(record: TaskRecord) -> tuple[str, ...]:
    info = record.info
    return (info.name, info.protocol, info.version, info.split, record.data_fingerprint)


def _titles(identities: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """The task's name, and of what differs among pages of that name, each page's own."""
    found = {}
    for identity in identities:
        peers = [other for other in identities if other[0] == identity[0]]
        differing = [i for i in range(1, len(_PARTS)) if len({peer[i] for peer in peers}) > 1]
        wording = ", ".join(
            f"{_PARTS[i]} {identity[i][:8] if _PARTS[i] == 'data' else identity[i]}" for i in differing
        )
        found[identity] = f"{identity[0]} ({wording})" if wording else identity[0]
    return found


def _slug(title: str, taken: set[str]) -> str:
    """A file name made of the title: it comes from a run's `run.json`, so nothing of it is trusted."""
    base = re.sub(r"[^a-z0-9.]+", "-", title.lower()).strip("-.")[:80] or "task"
    slug, count = base, 1
    while slug in taken:
        count += 1
        slug = f"{base}-{count}"
    taken.add(slug)
    return slug
