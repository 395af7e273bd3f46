"""Checkpoints over training: curves per task over steps, the last change, the best step with its uncertainty.

* `gathering`: runs into curves, a point per step, several seeds joined;
* `best`: which step is the best, how sure that is, which others cannot be told from it;
* `changes`: the last step against the one before, paired;
* `rendering`, `drawing`: for a terminal, as files, as a plot.
"""

from evalsuite.tracking.gathering import Curve, Point, Training, place_of_run
from evalsuite.tracking.summary import track

__all__ = ["Curve", "Point", "Training", "place_of_run", "track"]
