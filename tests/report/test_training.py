"""The report's page of a training."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalsuite.report import write_report
from tests.comparison.runs import registry
from tests.tracking.trained import checkpoint_run, right


def test_a_page_with_a_chart_per_number_and_the_sentences_of_track(tmp_path: Path) -> None:
    name = "wide <script>alert(1)</script>"
    for step, share in ((1000, 0.4), (2000, 0.6), (10_000, 0.9)):
        checkpoint_run(tmp_path / "runs" / f"a{step}", right(share), step)
        checkpoint_run(tmp_path / "runs" / f"b{step}", right(share - 0.1), step, series=name)
    write_report([tmp_path / "runs"], tmp_path / "site", max_samples=0, registry=registry())
    page = (tmp_path / "site" / "training.html").read_text()
    assert page.count("<figure") == 1
    assert page.count("<polyline") == 2
    assert "best 10000: 90.0" in page
    assert "from 2000 to 10000: +30.0" in page
    assert "<script>alert" not in page
    assert 'href="training.html" aria-current' in page
    assert "style=" not in page  # the site's own policy forbids it
    line = re.search(r'<polyline class="line" points="([^"]+)"', page)
    assert line is not None
    xs = [float(point.split(",")[0]) for point in line[1].split()]
    assert xs == sorted(xs)
    assert (xs[2] - xs[1]) / (xs[1] - xs[0]) == pytest.approx(8, rel=0.05)  # steps are numbers
    assert 'href="training.html"' in (tmp_path / "site" / "index.html").read_text()


def test_runs_of_no_training_have_no_such_page_and_doubled_steps_are_told(tmp_path: Path) -> None:
    checkpoint_run(tmp_path / "one" / "a", right(0.5), 1)
    write_report([tmp_path / "one"], tmp_path / "site", max_samples=0, registry=registry())
    assert not (tmp_path / "site" / "training.html").exists()
    assert "training.html" not in (tmp_path / "site" / "index.html").read_text()
    checkpoint_run(tmp_path / "one" / "b", right(0.5), 1)
    write_report([tmp_path / "one"], tmp_path / "site", max_samples=0, registry=registry())
    assert "was measured twice" in (tmp_path / "site" / "training.html").read_text()
