"""Muon for the matrices inside a transformer, AdamW for everything else, as one optimizer.

Small language models learn to look things up (the colour of *the circle*) in a sudden step that AdamW
reaches late;
orthogonalised updates (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) reach it in a
fraction of the steps.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from .precision import inference_precision

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(update: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Nearly the orthogonal factor of a matrix: its singular values are brought near one by a quintic
    iteration."""
    a, b, c = _COEFFICIENTS
    x = update.bfloat16() if inference_precision() == "bf16" else update.float()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    orthogonal: torch.Tensor = (x.T if tall else x).to(update.dtype)
    return orthogonal


class MuonAdamW(torch.optim.Optimizer):
    """See above.

    Args:
        matrices: parameters of two dimensions, trained with Muon.
        others: trained with AdamW.
        lr: learning rate of AdamW; Muon's updates have a root mean square of `ratio` x lr.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        *,
        lr: float,
        ratio: float = 0.6,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(matrices), "muon": True},
            {"params": list(others), "muon": False},
        ]
        defaults = {
            "lr": lr,
            "ratio": ratio,
            "momentum": momentum,
            "betas": betas,
            "weight_decay": weight_decay,
        }
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update."""
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    (self._muon if group["muon"] else self._adam)(parameter, parameter.grad, group)
        return loss

    def _muon(self, parameter: nn.Parameter, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        average: torch.Tensor = state["momentum"]
        average.lerp_(gradient, 1 - group["momentum"])
        update = orthogonalise(gradient.lerp(average, group["momentum"]))
        # An orthogonal matrix has entries of root mean square 1 / sqrt(longer side).
        parameter.add_(update, alpha=-group["lr"] * group["ratio"] * max(update.shape) ** 0.5)

    def _adam(self, parameter: nn.Parameter, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["first"], state["second"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        low, high = group["betas"]
        state["first"].lerp_(gradient, 1 - low)
        state["second"].lerp_(gradient.square(), 1 - high)
        first = state["first"] / (1 - low ** state["step"])
        second = state["second"] / (1 - high ** state["step"])
        parameter.addcdiv_(first, second.sqrt().add_(1e-8), value=-group["lr"])


def muon_for(model: nn.Module, lr: float, beta2: float, weight_decay: float) -> MuonAdamW:
    """Muon for the matrices of the language model's layers, AdamW for embeddings, head, norms and
    projectors."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    inner = [p for name, p in trained if ".layers." in name and p.ndim == 2]
    outer = [p for name, p in trained if not (".layers." in name and p.ndim == 2)]
    return MuonAdamW(inner, outer, lr=lr, betas=(0.9, beta2), weight_decay=weight_decay)
