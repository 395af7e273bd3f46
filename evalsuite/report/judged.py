"""What judges said about the answers of one run, found by sample."""

from __future__ import annotations

from evalsuite.report.gathering import Answers
from evalsuite.report.privacy import without_folders


def judgements(answers: Answers) -> dict[str, list[list[str]]]:
    """For each judged sample, in the order of asking: judge, its words, or why it said nothing.

    Held in memory: only tasks with judges have any, and those are small.
    """
    found: dict[str, list[list[str]]] = {}
    for judge in answers.reader.judges(answers.key):
        for said in answers.reader.judgements(judge, answers.key):
            name = judge.named(said.model or judge.model)
            line = [name, said.text or "", without_folders(said.error)]
            found.setdefault(said.sample, []).append(line)
    return found
