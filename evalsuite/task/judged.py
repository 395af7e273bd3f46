"""Shared by judged families: grades from a file instead of a judge, and who judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from evalsuite.endpoint import Chat as Chat
from evalsuite.errors import DataError, SpecError
from evalsuite.judging import NotAskedError as NotAskedError
from evalsuite.judging import unjudged as unjudged
from evalsuite.options import Option
from evalsuite.task import Answered, TaskInfo
from evalsuite.task.benchmark import Plan
from evalsuite.task.family import FamilyTask

OPTIONS = (
    Option("grades", "file of a judge's grades, as the official script writes them", Path),
    Option("judge", "which judge gave them, as it is to stand beside the number"),
)
"""Options of every judged family: grades from a file instead of a judge."""


def check_options(plan: Plan, option: str = "grades", example: str = "gpt-4-0613") -> None:
    """Raises SpecError for a file of `option` without its judge's name, or the other way round."""
    if (option in plan.options) != ("judge" in plan.options):
        raise SpecError(
            f"{plan.benchmark.name}: {option} and judge belong together.",
            f"Name both: {option}=FILE judge={example}. Numbers of different judges cannot be compared.",
        )


def made_elsewhere(plan: Plan, option: str, name: str) -> Path | None:
    """The file that the user named with `option`, else the file `name` beside the data, if there is one."""
    named = plan.options.get(option)
    beside = plan.source.folder / name
    return Path(named).expanduser() if named is not None else beside if beside.is_file() else None


def require_known(path: Path, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises DataError where a file of answers names a prompt that the data do not have: it is of another
    benchmark, or of another release."""
    prompts = set(known)
    unknown = sorted({name for name in given if name not in prompts})
    if unknown:
        raise DataError(
            f"{path}: {len(unknown)} ids match no prompt, e.g. {unknown[0]!r}.",
            f"Ids are those of the data, e.g. {min(prompts, default='none')!r}.",
        )


class JudgedFamilyTask(FamilyTask):
    """Base of a judged family's task. A family adds `judge` and `question` (`evalsuite.judging.Judged`)."""

    @property
    def info(self) -> TaskInfo:
        return replace(super().info, judge=self.plan.options.get("judge", ""))

    def fingerprint(self) -> str:
        """Of the questions: grades are made later and change nothing in what was asked."""
        return self.plan.source.fingerprint()

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        return chat

    @property
    def grades_file(self) -> Path | None:
        """The file of grades that the user named."""
        return Path(self.plan.options["grades"]) if "grades" in self.plan.options else None
