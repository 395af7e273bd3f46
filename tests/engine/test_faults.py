"""Errors of a device step: memory, a lost device, or one request's fault."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evalsuite.engine.faults import is_device_lost, is_out_of_memory
from evalsuite.engine.worker import Worker
from evalsuite.model import Prepared
from evalsuite.request import TextResponse
from tests.engine.test_worker import Scripted, batch, echo


class AcceleratorError(RuntimeError):
    """As torch names it since 2.8."""


LOST = (
    RuntimeError(
        "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported"
    ),
    AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: unspecified launch failure"),
    RuntimeError("CUDA error: uncorrectable ECC error encountered"),
    RuntimeError("HIP error: the device is lost"),
    RuntimeError("CUDA error: no CUDA-capable device is detected"),
)
MEMORY = (
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    AcceleratorError("CUDA error: out of memory"),
)
ORDINARY = (
    RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
    RuntimeError("CUDA error: invalid configuration argument"),
    ValueError("device-side assert triggered"),
)


def test_errors_are_told_apart_by_what_they_mean() -> None:
    assert all(is_device_lost(error) and not is_out_of_memory(error) for error in LOST)
    assert all(is_out_of_memory(error) and not is_device_lost(error) for error in MEMORY)
    assert not any(is_out_of_memory(error) or is_device_lost(error) for error in ORDINARY)


def test_an_error_of_a_device_that_answers_nothing_any_more_is_its_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from evalsuite.engine import faults

    monkeypatch.setattr(faults, "device_answers", lambda: False)
    assert is_device_lost(ORDINARY[1])
    assert not is_device_lost(ORDINARY[0]), "an error that is not the device's is not tried"


@pytest.mark.parametrize("error", LOST, ids=str)
def test_a_lost_device_stops_the_run_and_marks_no_sample(error: RuntimeError) -> None:
    broken = False

    def answer(prepared: Sequence[Prepared]) -> list[TextResponse]:
        nonlocal broken
        broken = broken or any(p.payload == 5 for p in prepared)
        if broken:
            raise error
        return echo(prepared)

    model = Scripted(answer)
    worker = Worker(model, self_check=False)
    assert worker.run(batch(4)).stop is None
    result = worker.run(batch(8))
    assert result.outcomes == ()
    assert "cannot use it any more" in str(result.stop)
    assert "same command" in str(result.stop)
    assert model.sizes == [4, 8], "nothing more is asked of a lost device"


@pytest.mark.parametrize("error", MEMORY, ids=str)
def test_workspaces_that_cannot_be_allocated_halve_the_batch(error: RuntimeError) -> None:
    def answer(prepared: Sequence[Prepared]) -> list[TextResponse]:
        if len(prepared) > 2:
            raise error
        return echo(prepared)

    result = Worker(Scripted(answer), self_check=False).run(batch(4))
    assert all(outcome.response is not None for outcome in result.outcomes)
