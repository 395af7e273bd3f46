"""Two checkpoints side by side: paired differences with intervals, corrected verdicts, gates for CI, the
samples that flipped.

`compare` gives a `Comparison`; `console`, `markdown`, `junit` and `to_json` render it. Reads runs; never
imports a model. Metrics that are means are compared from the stored scores alone; corpus metrics and
distances are recomputed from the stored responses, with the same resamples for both sides.
"""

from __future__ import annotations

from evalsuite.comparison.checks import Check, Compared
from evalsuite.comparison.comparing import FRAME_COLUMNS, Comparison, compare
from evalsuite.comparison.flips import Flip, flips_of
from evalsuite.comparison.gates import Gates, Limits, load_gates
from evalsuite.comparison.jsonfile import to_json
from evalsuite.comparison.junit import junit
from evalsuite.comparison.markdown import markdown
from evalsuite.comparison.terminal import console

__all__ = [
    "FRAME_COLUMNS",
    "Check",
    "Compared",
    "Comparison",
    "Flip",
    "Gates",
    "Limits",
    "compare",
    "console",
    "flips_of",
    "junit",
    "load_gates",
    "markdown",
    "to_json",
]
