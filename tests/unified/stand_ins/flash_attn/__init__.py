# Stands in for flash-attn in test environments without a GPU: the same function by torch's own attention.
import torch

__version__ = "0.0.0"


def flash_attn_varlen_func(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q=None, max_seqlen_k=None, causal=False, **_
):
    """Attention within each sequence of a packed batch; (tokens, heads, width). Causal masks are aligned at
    the end, as flash-attn 2.1 has them."""
    made = []
    starts = zip(cu_seqlens_q[:-1], cu_seqlens_q[1:], cu_seqlens_k[:-1], cu_seqlens_k[1:])
    for q0, q1, k0, k1 in starts:
        one, keys, values = (x.transpose(0, 1)[None] for x in (q[q0:q1], k[k0:k1], v[k0:k1]))
        groups = one.shape[1] // keys.shape[1]
        keys, values = (x.repeat_interleave(groups, 1) for x in (keys, values))
        mask = None
        if causal:
            rows, columns = one.shape[2], keys.shape[2]
            mask = torch.ones(rows, columns, dtype=torch.bool, device=q.device).tril(columns - rows)
        out = torch.nn.functional.scaled_dot_product_attention(one, keys, values, attn_mask=mask)
        made.append(out[0].transpose(0, 1))
    return torch.cat(made)
