"""Settings of the whole test suite."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The time of one example says nothing on a busy machine; how long tests may take is for the runner to say.
settings.register_profile("evalsuite", deadline=None)
settings.load_profile("evalsuite")

_LOGGERS = ("evalsuite", "evalsuite_tasks", "evalsuite_baselines")


@pytest.fixture(autouse=True)
def log_levels() -> Iterator[None]:
    """Commands that run in this process set levels (`-q`), which later tests are not to see."""
    before = {name: logging.getLogger(name).level for name in _LOGGERS}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
