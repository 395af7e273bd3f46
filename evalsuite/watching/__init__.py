"""Measuring the checkpoints of a training while it goes on.

* `folder`: which checkpoints a trainer's output folder holds, and which of them are written to the end;
* `measuring`: one checkpoint into a run of its own;
* `watch`: new checkpoints as they appear, each exactly once.
"""

from evalsuite.watching.folder import Checkpoint, checkpoints, unfinished
from evalsuite.watching.measuring import Plan, measure_checkpoint
from evalsuite.watching.watch import Watched, watch

__all__ = ["Checkpoint", "Plan", "Watched", "checkpoints", "measure_checkpoint", "unfinished", "watch"]
