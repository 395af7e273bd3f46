"""A site from runs: pages, their data, images and assets, written into one folder."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SpecError, suggest
from evalsuite.leaderboards.frame import frame_of, open_runs
from evalsuite.registry import Registry, load_registry
from evalsuite.report import breakdown, provenance
from evalsuite.report.breakdown import Measure, Spread
from evalsuite.report.browsing import SampleWriter
from evalsuite.report.charts import Bar
from evalsuite.report.files import SampleFiles
from evalsuite.report.gathering import Answers, Page, gather
from evalsuite.report.images import ImageWriter
from evalsuite.report.linking import samples_href
from evalsuite.report.output import Output, site
from evalsuite.report.pairs import chosen, pairs_of, sides_of
from evalsuite.report.privacy import without_folders
from evalsuite.report.standings import Standings, standings
from evalsuite.report.training import training_of
from evalsuite.report.versus import Matrix, Shown, Versus, confusions, versus
from evalsuite.store import RunReader
from evalsuite.task import ExplainsProtocol

if TYPE_CHECKING:
    from jinja2 import Environment

_log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_ASSETS = (
    "style.css", "samples.css", "theme.js", "core.js", "leaderboard.js", "task.js", "live.js",
    "columns.js", "virtual.js", "slider.js", "sample.js", "filters.js", "export.js", "browser.js",
)  # fmt: skip
_WEB = re.compile(r"https?://[^\s<>\"']+")


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_report` wrote: pages of tasks, samples in their browsers, different images, bytes."""

    tasks: int
    samples: int
    images: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _TaskPage:
    """A task's page with what its template needs."""

    page: Page
    measures: Sequence[breakdown.Measure]
    gaps: Sequence[breakdown.Gap]
    spreads: Sequence[breakdown.Spread]
    failures: Sequence[breakdown.Failure]
    files: SampleFiles
    total: int
    matrices: Sequence[Matrix]

    @property
    def samples(self) -> int:
        """In the report."""
        return self.files.count

    def behind(self, answers: Answers, measure: Measure, label: str = "", group: str = "") -> str:
        """The samples behind a number; "" where there are none in the report."""
        score = self.files.place(measure.rules, measure.metric.name)
        if not self.samples:
            return ""
        state = {f"label.{label}": group} if label else {}
        return samples_href(self.page.slug, a=answers.label, score=score or None, **state)

    def bar_href(self, answers: Answers, spread: Spread, bar: Bar) -> str:
        """The samples in a histogram's bar."""
        if not self.samples:
            return ""
        score = self.files.place(spread.rules, spread.name)
        low, high = (round(end * spread.scale, 9) for end in (bar.low, bar.high))
        return samples_href(self.page.slug, a=answers.label, score=score or None, low=low, high=high)

    def failed_href(self, answers: Answers) -> str:
        """The samples that failed."""
        return samples_href(self.page.slug, a=answers.label, outcome="failed")


def write_report(
    runs: Iterable[Path | str],
    out: Path,
    *,
    title: str = "Evaluation report",
    tasks: Sequence[str] = (),
    max_samples: int | None = None,
    images: bool = True,
    compare: Sequence[str] = (),
    live: bool = False,
    registry: Registry | None = None,
) -> Written:
    """Writes a static site about runs, which opens from disk without server or network.

    Reads runs, and through their tasks the benchmark's data for prompts and references; where the data are
    not here, answers and scores are shown all the same. Never imports a model.

    Args:
        runs: runs, or folders of runs.
        out: folder; empty, absent, or an earlier report, which is replaced.
        title: heading of the site.
        tasks: only these; all when empty.
        max_samples: maximum samples per task to show, sampled with a fixed seed; numbers are over all samples
            in any case. 0 writes no samples.
        images: whether images are copied into the site.
        compare: models that are compared with each other, in pairs; the four best when empty.
        live: open pages load themselves again when the report is written again.
        registry: None loads installed plugins and those of the runs.

    Raises:
        StoreError: there is no run, or `out` holds something else or cannot be written.
        SpecError: no run has a task of `tasks`, or a model of `compare`.
    """
    with ExitStack() as stack:
        left_out: dict[str, str] = {}
        readers = open_runs([Path(run) for run in runs], left_out)
        for reader in readers:
            stack.callback(reader.close)
        known = list(dict.fromkeys(r.info.name for reader in readers for r in reader.manifest.tasks))
        for name in tasks:
            if name not in known:
                raise SpecError(f"No run has a task {name!r}.", suggest(name, known))
        registry = registry or load_registry(dict.fromkeys(p for r in readers for p in r.spec.plugins))
        with site(out) as output:
            image_writer = ImageWriter(output if images else None)
            pages = [
                _task_page(output, page, image_writer, max_samples)
                for page in gather(readers, registry, tasks)
            ]
            environment = _environment(live=live)
            _write_pages(environment, output, title, readers, pages, image_writer, tasks, compare, left_out)
            if live:
                output.write_data("live/stamp", str(time.time_ns() // 1_000_000))
            for name in _ASSETS:
                output.write(f"assets/{name}", (_HERE / "assets" / name).read_bytes())
    return Written(len(pages), sum(page.samples for page in pages), image_writer.count, output.size)


def _task_page(output: Output, page: Page, images: ImageWriter, most: int | None) -> _TaskPage:
    if page.built[1]:
        _log.warning("%s is shown without prompts and references: %s", page.title, page.built[1])
    writer = SampleWriter(output, page, images, most)
    writer.write()
    return _TaskPage(
        page,
        breakdown.measures(page),
        breakdown.gaps(page),
        breakdown.spreads(page, writer.keys, writer.tables),
        breakdown.failures(page, writer.tables),
        writer.files,
        writer.total,
        confusions(Shown(page, writer.files)),
    )


def _write_pages(
    environment: Environment,
    output: Output,
    title: str,
    readers: Sequence[RunReader],
    pages: Sequence[_TaskPage],
    images: ImageWriter,
    tasks: Sequence[str],
    compare: Sequence[str],
    left_out: Mapping[str, str],
) -> None:
    found = provenance.accounts(readers)
    training = training_of(readers, tasks)
    frame = frame_of(readers, unscored=any(reader.metrics() for reader in readers))
    if tasks:
        frame = frame[frame["task"].isin(tasks)]
    hrefs = _hrefs(pages)
    board = None if frame.empty else standings(frame, hrefs)
    compared = _compared(readers, pages, board, tasks, compare)
    site = {"site": title, "pages": pages, "training": training is not None, "compared": compared}

    def render(template: str, name: str, up: str, **context: Any) -> None:
        text = environment.get_template(template).render(**site, up=up, **context)
        # A lone surrogate in a name cannot be written as UTF-8; it is shown as its escape.
        output.write(name, text.encode("utf-8", "backslashreplace"))

    unscored = [
        f"{answers.label} on {one.page.title}"
        for one in pages
        for answers in one.page.answers
        if not answers.results
    ]
    absent = [f"{Path(run).name}: {without_folders(reason)}" for run, reason in left_out.items()]
    render(
        "leaderboard.html", "index.html", "", board=board, unscored=unscored, accounts=found, left_out=absent
    )
    for one in pages:
        render(
            "task.html",
            f"tasks/{one.page.slug}.html",
            "../",
            one=one,
            page=one.page,
            explained=_explained(one.page),
            example=_example(one.page, images),
        )
        if one.samples:
            render("samples.html", f"samples/{one.page.slug}.html", "../", one=one, page=one.page)
    if compared:
        render("compare.html", "compare.html", "", rows=list(dict.fromkeys(one.base for one in compared)))
        for one_pair in compared:
            render("versus.html", f"compare/{one_pair.slug}.html", "../", pair=one_pair)
    if training is not None:
        render("training.html", "training.html", "", curves=training)
    render(
        "provenance.html",
        "provenance.html",
        "",
        accounts=found,
        differences=provenance.differences(found),
    )


def _hrefs(pages: Sequence[_TaskPage]) -> dict[str, str]:
    """Pages by their titles, and by task name where a task has only one."""
    names = [one.page.info.name for one in pages]
    return {
        name: f"tasks/{one.page.slug}.html"
        for one in pages
        for name in (one.page.title, one.page.info.name)
        if name == one.page.title or names.count(name) == 1
    }


def _compared(
    readers: Sequence[RunReader],
    pages: Sequence[_TaskPage],
    board: Standings | None,
    tasks: Sequence[str],
    names: Sequence[str],
) -> list[Versus]:
    order = [row.name for row in board.rows] if board else []
    sides = chosen(sides_of(readers), order, names)
    shown = [Shown(one.page, one.files) for one in pages]
    return [versus(i + 1, pair, shown) for i, pair in enumerate(pairs_of(sides, tasks))]


def _environment(*, live: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["live"] = live
    environment.filters["is_web"] = lambda text: bool(_WEB.fullmatch(text))
    environment.filters["shown"] = lambda value, metric: breakdown.shown(metric, value)
    return environment


def _explained(page: Page) -> Mapping[str, str]:
    task, _ = page.built
    return task.explain() if isinstance(task, ExplainsProtocol) else {}


def _example(page: Page, images: ImageWriter) -> dict[str, Any] | None:
    """The first sample's request as it was asked: messages of role and parts, and the decoding parameters."""
    from evalsuite.report.describing import Describer

    task, _ = page.built
    if task is None:
        return None
    sample = next(iter(task.samples()), None)
    request = task.request(sample) if sample is not None else None
    if sample is None or request is None:
        return None
    decoding = {name: value for name, value in asdict(request.output).items() if name != "capability"}
    return {"id": sample.id, **Describer(images).prompt(request), "decoding": decoding}
