# Stands in for flash-attn in test environments without a GPU: rotary embeddings by torch alone.
import torch


def apply_rotary_emb(x, cos, sin, interleaved=False, inplace=False, **_):
    """Rotates the first `2 * cos.shape[-1]` values of each head; x (batch, tokens, heads, width), cos and sin
    (tokens, width / 2). A value's partner is half the rotated width further, or its neighbour."""
    width = 2 * cos.shape[-1]
    cos, sin = (one[: x.shape[1], None, :] for one in (cos, sin))
    turned, rest = x[..., :width], x[..., width:]
    first, second = (turned[..., ::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
    pair = first * cos - second * sin, first * sin + second * cos
    made = torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1)
    return torch.cat([made, rest], -1)
