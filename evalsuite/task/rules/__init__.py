"""Named scoring rules of one answer: exact match, relaxed accuracy, letters out of free text, yes or no …

A rule is a small pure function under a name. Benchmark files name rules under `rules:`; families look them up
with `RuleSet` and never ask what a rule is called. A plugin adds its own with `@rule()`: beside its YAML in
`rules.py`, in `entries(folder, rules=[…])`, or as an entry point of the group `evalsuite.rules`.
"""

from __future__ import annotations

from evalsuite.task.rules.choosing import RuleChoice, RuleSet
from evalsuite.task.rules.finding import GROUP, built_in, find_rule, installed
from evalsuite.task.rules.types import (
    KINDS,
    NOT_READ,
    UNREAD,
    GroundTruth,
    Kind,
    Rule,
    RuleFunction,
    Verdict,
    rule,
)

__all__ = [
    "GROUP",
    "KINDS",
    "NOT_READ",
    "UNREAD",
    "GroundTruth",
    "Kind",
    "Rule",
    "RuleChoice",
    "RuleFunction",
    "RuleSet",
    "Verdict",
    "built_in",
    "find_rule",
    "installed",
    "rule",
]
