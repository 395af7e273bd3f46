"""Predictions from elsewhere and to elsewhere: official result files, other harnesses' logs, evaluation
servers.

* `predictions`: the file formats, read into pairs of an id and an answer;
* `importing`: pairs into a run, which is then scored like any other;
* `exporting`: a run's answers into the file that an evaluation server takes;
* `reports`: a run as other harnesses would have written it;
* `layouts`: folders of images as official scorers read them, out of runs and into them.
"""

from evalsuite.exchange.exporting import EXPORTS, export_predictions
from evalsuite.exchange.importing import import_predictions
from evalsuite.exchange.layouts import LAYOUTS, export_images, import_images
from evalsuite.exchange.predictions import FORMATS, recognize
from evalsuite.exchange.reports import REPORTS, export_report

__all__ = [
    "EXPORTS", "FORMATS", "LAYOUTS", "REPORTS", "export_images", "export_predictions", "export_report",
    "import_images", "import_predictions", "recognize",
]  # fmt: skip
