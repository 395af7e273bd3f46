"""A comparison as JSON, for other programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from evalsuite.comparison.comparing import Comparison
from evalsuite.comparison.flips import Flip

FORMAT = 1


def to_json(comparison: Comparison, flips: Sequence[Flip] = ()) -> str:
    """JSON text. Numbers are in natural units (multiply by `scale` for display), NaN is null."""
    value = {
        "format": FORMAT,
        "passed": comparison.passed,
        "base": {"model": comparison.base, "runs": list(map(str, comparison.base_paths))},
        "candidate": {"model": comparison.candidate, "runs": list(map(str, comparison.candidate_paths))},
        "alpha": comparison.gates.alpha,
        "correction": comparison.gates.correction,
        "rows": [
            {
                "task": row.task,
                "metric": row.metric.name,
                "group": row.group,
                "headline": row.headline,
                "scale": row.metric.scale,
                "higher_is_better": row.metric.higher_is_better,
                "verdict": row.verdict,
                "p_corrected": row.p,
                "p_margin_corrected": row.p_margin,
                "limits": row.limits.model_dump(exclude_none=True),
                "difference": asdict(row.difference),
            }
            for row in comparison.rows
        ],
        "checks": [asdict(check) for check in comparison.checks],
        "notes": list(comparison.notes),
        "flips": [
            {
                "task": flip.task,
                "id": flip.id,
                "metric": flip.metric,
                "direction": flip.direction,
                "before": flip.before,
                "after": flip.after,
                "prompt": flip.candidate.prompt,
                "reference": flip.candidate.reference,
                "base": flip.base.said,
                "candidate": flip.candidate.said,
            }
            for flip in flips
        ],
    }
    # ASCII: answers may hold lone surrogates, which UTF-8 cannot.
    return json.dumps(_finite(value), indent=1, default=str) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
