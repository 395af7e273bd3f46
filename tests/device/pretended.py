"""A pretended GPU: tensors on device `gpu:0` that are computed on the CPU and refuse what CUDA refuses.

Every operation really runs. Operands on two devices, generators of another device and numpy's access raise as
they do on CUDA, and everything is counted: kernels, copies to the device, and what makes the host wait.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "gpu"

ALL_OPERANDS = {
    "cat", "stack", "mm", "bmm", "addmm", "convolution", "embedding", "native_layer_norm",
}  # fmt: skip
"""Operations that take not even a scalar tensor from the CPU."""
WAITING = {
    "_local_scalar_dense", "nonzero", "equal", "masked_select", "unique_dim", "_unique2", "is_nonzero",
}  # fmt: skip
"""Operations whose result the host needs."""
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
NO_KERNEL = {"detach", "lift_fresh", "_local_scalar_dense", "alias"}


class MixedDevices(RuntimeError):
    """What CUDA would refuse."""


class OnDevice(torch.Tensor):
    """A tensor on the pretended GPU; `raw` is where it really is."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> OnDevice:
        made: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls, raw.shape, strides=raw.stride(), storage_offset=raw.storage_offset(), dtype=raw.dtype,
            device=torch.device(f"{NAME}:0"), requires_grad=False,
        )  # fmt: skip
        made.raw = raw
        return made

    def __init__(self, raw: torch.Tensor) -> None: ...

    def tolist(self) -> Any:
        GPU.wait("tolist")
        return self.raw.tolist()

    def numpy(self, *arguments: Any, **more: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy

    def __repr__(self, **more: Any) -> str:  # type: ignore[override]
        return f"OnDevice({self.raw!r})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        with nullcontext() if GPU.entered else GPU:
            return GPU.run(func, args, kwargs or {})


class PretendedGpu(TorchDispatchMode):
    """Runs what involves the device, and counts.

    Attributes:
        kernels: operations on the device.
        uploads, waits: copies to it, and what waits for it, by the line of ours that is responsible.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entered = False
        self.reset()

    def reset(self) -> None:
        self.kernels = 0
        self.uploads: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()

    def wait(self, what: str) -> None:
        self.waits[f"{what} at {_where()}"] += 1

    def __enter__(self) -> Any:
        self.entered = True
        self._before = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        return super().__enter__()

    def __exit__(self, *arguments: Any) -> Any:
        self.entered = False
        torch._C._set_only_lift_cpu_tensors(self._before)
        return super().__exit__(*arguments)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        name = func._schema.name.split("::")[1]
        if name == "_fused_sdp_choice":
            return 0
        flat = tree_flatten((args, kwargs))[0]
        there = [one for one in flat if isinstance(one, OnDevice)]
        here = [one for one in flat if isinstance(one, torch.Tensor) and not isinstance(one, OnDevice)]
        wanted = kwargs.get("device")
        to_device = wanted is not None and torch.device(wanted).type == NAME
        if not there and not to_device:
            return func(*args, **kwargs)
        if name == "_to_copy":
            return self._moved(args[0], to_device, wanted, kwargs)
        if name in ("copy_", "_foreach_copy_"):
            return self._copied(args[0], args[1])
        self._refuse(name, args, here, there, kwargs.get("generator"))
        if name in WAITING:
            self.wait(name)
        if name == "repeat_interleave" and isinstance(args[0], OnDevice):
            self.wait(name)
        self.kernels += not (func.is_view or name in NO_KERNEL)
        return self._computed(func, name, args, kwargs, to_device)

    def _computed(self, func: Any, name: str, args: Any, kwargs: Any, to_device: bool) -> Any:
        if to_device:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        found = func(*tree_map(_raw, args), **tree_map(_raw, kwargs))
        if name == "_local_scalar_dense":
            return found
        wrapped = tree_map(lambda one: OnDevice(one) if type(one) is torch.Tensor else one, found)
        return return_and_correct_aliasing(func, args, kwargs, wrapped)

    def _moved(self, source: Any, to_device: bool, wanted: Any, kwargs: Any) -> Any:
        more = {k: v for k, v in kwargs.items() if k not in ("device", "non_blocking", "pin_memory")}
        made = torch.ops.aten._to_copy.default(_raw(source), **more)
        if not (to_device or (wanted is None and isinstance(source, OnDevice))):
            self.wait("copy to the host")
            return made
        if not isinstance(source, OnDevice):
            self.uploads[_where()] += 1
        self.kernels += 1
        return OnDevice(made)

    def _copied(self, target: Any, source: Any) -> Any:
        if isinstance(source, OnDevice) and not isinstance(target, OnDevice):
            self.wait("copy to the host")
        if isinstance(target, OnDevice) and not isinstance(source, OnDevice):
            self.uploads[_where()] += 1
        _raw(target).copy_(_raw(source))
        return target

    def _refuse(self, name: str, args: Any, here: list[Any], there: list[Any], generator: Any) -> None:
        bad = [one for one in here if one.dim() > 0 or name in ALL_OPERANDS]
        if name in INDEXING:
            if not isinstance(args[0], OnDevice):
                raise MixedDevices(
                    f"indices should be either on cpu or on the indexed tensor's device: {_where()}"
                )
            index = [one for one in tree_flatten(args[1])[0] if isinstance(one, torch.Tensor)]
            bad = [one for one in bad if all(one is not i for i in index)]
            for one in index:
                if not isinstance(one, OnDevice):
                    self.uploads[_where()] += 1
                if one.dtype in (torch.bool, torch.uint8):
                    self.wait("boolean index")
        if bad and there and name not in ("lift_fresh", "is_same_size"):
            raise MixedDevices(
                f"Expected all tensors to be on the same device, found gpu:0 and cpu: {name}, {_where()}"
            )
        if generator is not None and generator.device.type == "cpu":
            raise MixedDevices(
                f"Expected a 'cuda' device type for generator but found 'cpu': {name}, {_where()}"
            )


_setup_privateuseone_for_python_backend(NAME)
# Registered for good: later tests of this process, on the CPU, find an accelerator that autocast asks.
getattr(torch, NAME).get_amp_supported_dtype = lambda: [torch.bfloat16, torch.float16]
GPU = PretendedGpu()


class _NoGrad(torch.no_grad):
    """In place of inference mode, which wrapped tensors cannot have; for devices it is the same."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__()


@contextmanager
def pretended_gpu() -> Iterator[PretendedGpu]:
    """The device, counted from zero."""
    kept = torch.inference_mode
    torch.inference_mode = _NoGrad  # type: ignore[misc,assignment]
    GPU.reset()
    try:
        with GPU:
            yield GPU
    finally:
        torch.inference_mode = kept  # type: ignore[misc]


def _raw(one: Any) -> Any:
    if isinstance(one, OnDevice):
        return one.raw
    return torch.device("cpu") if isinstance(one, torch.device) and one.type == NAME else one


def _where() -> str:
    """The innermost line of ours, and the library's line that it called."""
    frame: Any = sys._getframe(1)
    library = ""
    while frame is not None:
        path = frame.f_code.co_filename
        if "site-packages" in path and "/torch/" not in path and not library:
            library = f" ({path.rsplit('site-packages/', 1)[1]}:{frame.f_lineno})"
        ours = (
            any(f"/{room}/" in path for room in ("evalsuite", "tasks", "baselines"))
            and "site-packages" not in path
        )
        if ours and "/tests/" not in path:
            return f"{'/'.join(path.rsplit('/', 3)[-2:])}:{frame.f_lineno}{library}"
        frame = frame.f_back
    return f"?{library}"
