"""GenEval's columns: the share of right images of each prompt, and what is made of it.

A row has the columns `images` (share of its images that are right) and `prompts` (whether any is), and the
label `tag` (the task). The published score is `{mean_over: tag, of: images}`: the plain mean of the means of
the six tasks, not of the images.
"""

from __future__ import annotations

from collections.abc import Iterable

from evalsuite.task import Aggregate, MetricSpec

IMAGES, PROMPTS = "images", "prompts"
COLUMNS = (IMAGES, PROMPTS)
_OVERALL = "overall"


def declared(metrics: Iterable[MetricSpec]) -> list[MetricSpec]:
    """The metrics; where a file says no more, `overall` is the published score and another name is a task."""
    found = []
    for spec in metrics:
        if spec.plain and spec.name not in COLUMNS:
            usual = (
                Aggregate(mean_over="tag", of=(IMAGES,))
                if spec.name == _OVERALL
                else Aggregate(of=(IMAGES,), where={"tag": (spec.name,)})
            )
            spec = spec.model_copy(update=dict(usual))
        found.append(spec)
    return found
