"""Which number format is trained in: decided by the work of a step, not by what else the machine does."""

import time

import pytest

pytest.importorskip("torch")


def test_waiting_does_not_count() -> None:
    from evalsuite.mini.training.precision import choose, time_steps

    def step(precision: str) -> None:
        if precision == "bf16":
            time.sleep(0.1)  # another process has the core
            return
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass

    found = time_steps(step)
    assert found["float32"] >= 0.02 > found["bf16"]
    assert choose(found) == "bf16"
