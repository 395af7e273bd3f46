"""Numbers of runs into experiment trackers: Weights & Biases, MLflow, TensorBoard, trackio.

A run becomes one entry (`entries`): its numbers by `task/metric`, their intervals, and some of its generated
images, at the training step of its checkpoint. The trackers' run is the training's series, so that all
checkpoints of a training make one curve. What was logged is on record in the run (`logged.json`): a tracker
that could not be reached gets it later, and none gets it twice.
"""

from evalsuite.loggers.destinations import NAMES, Destination, destination
from evalsuite.loggers.entries import Entry, LoggedImage, entry_of
from evalsuite.loggers.logging import Outcome, forget, log_all

__all__ = [
    "NAMES",
    "Destination",
    "Entry",
    "LoggedImage",
    "Outcome",
    "destination",
    "entry_of",
    "forget",
    "log_all",
]  # fmt: skip
