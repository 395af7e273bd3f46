"""A run in the form of another harness, so that its tools read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from evalsuite.durable import write_file
from evalsuite.errors import SpecError, StoreError, suggest
from evalsuite.registry import Registry
from evalsuite.store import RunReader


def export_report(
    run: Path | str, form: str, out: Path | str, *, task: str | None = None, registry: Registry | None = None
) -> str:
    """Writes a run as another harness would have.

    Args:
        run: its folder; it may be unfinished.
        form: a name in `REPORTS`: `lm-eval` (the results JSON of lm-evaluation-harness, all tasks or one),
            `lmms-eval` (its sample log, JSON Lines), `inspect` (an Inspect log, `.eval` or `.json`).
        out: the file; an earlier one of the same form is replaced.
        task: its key in the run; may be left out where the run has one.
        registry: where tasks are found for prompts; None loads installed plugins and those of the run.

    Returns:
        What was written, in words.

    Raises:
        StoreError: it is no run, or not scored; `out` holds something else.
        SpecError: unknown format or task, or a suffix that the format does not have.
        UnavailableError: the format's library is not installed.
    """
    if form not in REPORTS:
        raise SpecError(f"There is no export format {form!r}.", suggest(form, REPORTS))
    path = Path(out)
    with RunReader(Path(run)) as reader:
        keys = list(reader.task_keys)
        if task is not None and task not in keys:
            raise SpecError(f"The run has no task {task!r}.", suggest(task, keys))
        if task is None and form != "lm-eval":
            if len(keys) != 1:
                raise SpecError(f"{run} has several tasks: {', '.join(keys)}.", "Name one with --task.")
            task = keys[0]
        return REPORTS[form](reader, keys if task is None else [task], path, registry)


def _lm_eval(run: RunReader, tasks: list[str], out: Path, registry: Registry | None) -> str:
    from evalsuite.exchange.lm_eval import results_json

    if out.suffix != ".json":
        raise SpecError(f"{out} is no .json.", "lm-eval's results are JSON: name it results_….json.")
    told = results_json(run, tasks)
    _refuse_other(out, lambda text: isinstance(json.loads(text).get("results"), dict))
    write_file(out, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    return f"results of {len(told['results'])} tasks"


def _lmms_eval(run: RunReader, tasks: list[str], out: Path, registry: Registry | None) -> str:
    from evalsuite.exchange.lm_eval import sample_lines, write_lines

    if out.suffix != ".jsonl":
        raise SpecError(f"{out} is no .jsonl.", "lmms-eval's sample logs are JSON Lines.")
    _refuse_other(out, lambda text: "resps" in json.loads(text.partition("\n")[0]))
    return f"{write_lines(out, sample_lines(run, tasks[0], registry)):,} samples"


def _inspect(run: RunReader, tasks: list[str], out: Path, registry: Registry | None) -> str:
    from evalsuite.exchange.inspect_log import KINDS, write_log

    if out.suffix not in KINDS:
        raise SpecError(f"{out} is none of {', '.join(KINDS)}.", "Inspect's logs end in .eval.")
    if out.suffix == ".json":
        _refuse_other(out, lambda text: "eval" in json.loads(text))
    elif out.exists() and out.read_bytes()[:2] != b"PK":
        raise StoreError(f"{out} exists and is no earlier export.", "Remove it, or name another file.")
    return f"{write_log(run, tasks[0], out, registry):,} samples"


def _refuse_other(out: Path, ours: Callable[[str], bool]) -> None:
    """Raises StoreError where `out` holds something else than an export of the form."""
    if out.is_dir():
        raise StoreError(f"{out} is a folder.", "Name a file.")
    if not out.is_file() or not out.stat().st_size:
        return
    try:
        fine = ours(out.read_text(encoding="utf-8"))
    except (OSError, ValueError, AttributeError, TypeError):
        fine = False
    if not fine:
        raise StoreError(f"{out} exists and is no earlier export.", "Remove it, or name another file.")


REPORTS: Mapping[str, Callable[[RunReader, list[str], Path, Registry | None], str]] = MappingProxyType(
    {"inspect": _inspect, "lm-eval": _lm_eval, "lmms-eval": _lmms_eval}
)
"""Format -> what writes it."""
