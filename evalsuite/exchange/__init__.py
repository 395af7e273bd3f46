"""Predictions from elsewhere and to elsewhere: official result files, other harnesses' logs, evaluation
servers.

* `predictions`: the file formats, read into pairs of an id and an answer;
* `importing`: pairs into a run, which is then scored like any other;
* `exporting`: a run's answers into the file that an evaluation server takes.
"""

from evalsuite.exchange.exporting import EXPORTS, export_predictions
from evalsuite.exchange.importing import import_predictions
from evalsuite.exchange.predictions import FORMATS, recognize

__all__ = ["EXPORTS", "FORMATS", "export_predictions", "import_predictions", "recognize"]
