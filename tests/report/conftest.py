"""One report of two models, and one browser, for all tests of the report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evalsuite.report import write_report
from tests.report.support import ALL, measure, once, registry

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1300,900",
)  # fmt: skip


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each model."""

    def make(folder: Path) -> None:
        measure(folder / "exact", "exact", *ALL)
        measure(folder / "odd", "odd", *ALL)

    return once(tmp_path_factory, "report-runs", make)


@pytest.fixture(scope="session")
def site(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of these runs."""

    def make(folder: Path) -> None:
        write_report([runs], folder, title="Shapes & <b>colours</b>", registry=registry())

    return once(tmp_path_factory, "report-site", make)


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Debian's Chromium; tests that need it are skipped where it is not, except where CI says it must be."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        reason = "Chromium is not here: apt-get install chromium chromium-driver"
        if os.environ.get("EVALSUITE_BROWSER_TESTS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    selenium = pytest.importorskip(
        "selenium.webdriver", reason="selenium is not here: pip install -e '.[test]'"
    )
    options = selenium.ChromeOptions()
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    yield browser
    browser.quit()
