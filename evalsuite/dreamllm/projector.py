"""The two small bridges: vision -> language model, language model -> diffusion."""

from __future__ import annotations

from torch import nn

from evalsuite.errors import CheckpointError


def build_projector(kind: str, depth: int, inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    """`linear`, or `mlp`: `depth` linear layers with exact GELU between (Sequential indices 0, 2, 4 ...).

    Layers keep torch's own initialisation, as upstream's do.

    Raises:
        CheckpointError: another kind, or a depth that the kind does not have.
    """
    if kind == "linear" and depth == 1:
        return nn.Linear(inputs, outputs, bias=bias)
    if kind == "mlp" and depth >= 2:
        layers: list[nn.Module] = [nn.Linear(inputs, outputs, bias=bias)]
        for _ in range(depth - 1):
            layers += [nn.GELU(), nn.Linear(outputs, outputs, bias=bias)]
        return nn.Sequential(*layers)
    raise CheckpointError(
        f"Projector {kind!r} of depth {depth} is not supported.",
        "Known: linear of depth 1, mlp of depth 2 or more.",
    )
