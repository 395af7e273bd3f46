"""A local Ray that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("ray")


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """A local Ray with room for eight workers; ends with the session."""
    import ray

    from evalsuite.ray.cluster import connect

    yield connect(None, workers=8, cpus_per_worker=1)
    ray.shutdown()
