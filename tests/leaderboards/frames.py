"""Small frames as `load` makes them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from evalsuite.leaderboards import COLUMNS

_PLAIN: dict[str, Any] = {
    "model": "m",
    "task": "vqa",
    "title": "",
    "version": "1",
    "protocol": "official",
    "rules": "official",
    "judge": "",
    "split": "val",
    "data": "d" * 64,
    "scorer": "",
    "metric": "accuracy",
    "group": "",
    "value": 0.5,
    "low": math.nan,
    "high": math.nan,
    "level": 0.95,
    "n": 100,
    "failures": 0,
    "missing": 0,
    "total": 100,
    "limit": None,
    "seed": 0,
    "seconds": 1.0,
    "tokens": 0,
    "images": 0,
    "headline": True,
    "scale": 100.0,
    "digits": 1,
    "higher_is_better": True,
    "method": "",
    "model_fingerprint": "",
    "evalsuite": "0",
    "run": "",
}


def number(**changes: Any) -> dict[str, Any]:
    """One row; the run is the model's own unless it is named."""
    row = {**_PLAIN, **changes}
    row["run"] = row["run"] or f"runs/{row['model']}"
    row["model_fingerprint"] = row["model_fingerprint"] or row["model"]
    return row


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"limit": "Int64"})
