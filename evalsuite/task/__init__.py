"""What a task plugin is made of: the types, the registry's entries, and the kit of declarative benchmarks.

A benchmark is a YAML file that `entries(folder)` turns into registry entries; a family is Python with
`build(plan) -> Task`; a benchmark that no family fits is a class that implements `Task`. What families need
besides lives in the modules beside this one: `readers` (official files, hub tables), `metrics` (exact
    scorers), `networks` (feature networks), `judged` (LLM-as-a-judge), `miniature` (the miniature world's
    ground truth)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach
from evalsuite.task.types import (
    Answered,
    Breakdown,
    EachOf,
    ExplainsProtocol,
    HasPostprocessors,
    HasReferenceAnswer,
    HasReferenceImages,
    HasSampleIds,
    Judgement,
    Metric,
    Sample,
    SampleScore,
    Scores,
    Statistic,
    Task,
    TaskInfo,
    mean_statistics,
)

if TYPE_CHECKING:
    from evalsuite.content import Image
    from evalsuite.data.inspection import DataReport
    from evalsuite.options import Option, check_options, option_values
    from evalsuite.spec import TaskSpec
    from evalsuite.task.aggregates import Aggregate, MetricSpec, check_aggregates
    from evalsuite.task.aggregating import aggregate, values_within
    from evalsuite.task.any_dataset import from_dataset
    from evalsuite.task.benchmark import Plan, build, entries
    from evalsuite.task.benchmark import draw as draw
    from evalsuite.task.columns import FORMULAS, require_columns
    from evalsuite.task.entry import (
        AveragePart,
        BrokenEntry,
        SuiteAverage,
        SuiteEntry,
        TaskEntry,
        TaskOptions,
    )
    from evalsuite.task.family import (
        IMPOSSIBLE,
        FamilyTask,
        certain,
        generated_images,
        row_of,
        rule_row,
        text_of,
    )
    from evalsuite.task.few_shot import Shot, Shots
    from evalsuite.task.frechet import frechet_statistic
    from evalsuite.task.prompts import Value, fields_of, postprocess, render
    from evalsuite.task.rules import UNREAD, GroundTruth, Kind, Rule, RuleSet, Verdict, rule
    from evalsuite.task.schema import Benchmark, ProtocolSpec
    from evalsuite.task.sources import Located
    from evalsuite.task.suites import suite_entries

__all__ = [
    "FORMULAS",
    "IMPOSSIBLE",
    "UNREAD",
    "Aggregate",
    "Answered",
    "AveragePart",
    "Benchmark",
    "Breakdown",
    "BrokenEntry",
    "DataReport",
    "EachOf",
    "ExplainsProtocol",
    "FamilyTask",
    "GroundTruth",
    "HasPostprocessors",
    "HasReferenceAnswer",
    "HasReferenceImages",
    "HasSampleIds",
    "Image",
    "Judgement",
    "Kind",
    "Located",
    "Metric",
    "MetricSpec",
    "Option",
    "Plan",
    "ProtocolSpec",
    "Rule",
    "RuleSet",
    "Sample",
    "SampleScore",
    "Scores",
    "Shot",
    "Shots",
    "Statistic",
    "SuiteAverage",
    "SuiteEntry",
    "Task",
    "TaskEntry",
    "TaskInfo",
    "TaskOptions",
    "TaskSpec",
    "Value",
    "Verdict",
    "aggregate",
    "build",
    "certain",
    "check_aggregates",
    "check_options",
    "draw",
    "entries",
    "fields_of",
    "frechet_statistic",
    "from_dataset",
    "generated_images",
    "mean_statistics",
    "option_values",
    "postprocess",
    "render",
    "require_columns",
    "row_of",
    "rule",
    "rule_row",
    "suite_entries",
    "text_of",
    "values_within",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.content": "Image",
            "evalsuite.data.inspection": "DataReport",
            "evalsuite.options": "Option check_options option_values",
            "evalsuite.spec": "TaskSpec",
            "evalsuite.task.aggregates": "Aggregate MetricSpec check_aggregates",
            "evalsuite.task.aggregating": "aggregate values_within",
            "evalsuite.task.any_dataset": "from_dataset",
            "evalsuite.task.benchmark": "Plan build draw:draw entries",
            "evalsuite.task.columns": "FORMULAS require_columns",
            "evalsuite.task.entry": "AveragePart BrokenEntry SuiteAverage SuiteEntry TaskEntry TaskOptions",
            "evalsuite.task.family": "FamilyTask IMPOSSIBLE certain generated_images row_of rule_row text_of",
            "evalsuite.task.few_shot": "Shot Shots",
            "evalsuite.task.frechet": "frechet_statistic",
            "evalsuite.task.prompts": "Value fields_of postprocess render",
            "evalsuite.task.rules": "GroundTruth Kind Rule RuleSet UNREAD Verdict rule",
            "evalsuite.task.schema": "Benchmark ProtocolSpec",
            "evalsuite.task.sources": "Located",
            "evalsuite.task.suites": "suite_entries",
            # Deprecated names; `evalsuite.task.types` warns.
            "evalsuite.task.types": "AnswersItself HasReference ListsSamples OffersCleanups",
        },
    )
