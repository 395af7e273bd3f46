"""The report: a static site about runs, with every number's interval and every sample's images.

Reads runs (and the benchmarks' data through their tasks), never models.
"""

from __future__ import annotations

from evalsuite.report.live import follow_runs
from evalsuite.report.site import Written, write_report

__all__ = ["Written", "follow_runs", "write_report"]
