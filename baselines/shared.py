"""One pass over each prompt for all its continuations, with `transformers`.

Keys and values of a prompt are stored once. What follows it, in any number of rows, keeps its own, and the
two are joined layer by layer while a layer is computed.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

NEEDED = (
    "_prepare_position_ids_for_generation", "_update_model_kwargs_for_generation",
    "prepare_inputs_for_generation",
)  # fmt: skip
"""What `generate` of the library prepares inputs with; models without have code of their own."""
PIXELS = ("pixel", "image_embeds", "image_sizes", "image_grid", "image_attention", "qformer")
"""Beginnings of the names of inputs that the prompt's pass takes in: images are in the cache then."""


def can_share(model: Any) -> bool:
    """Whether a model continues a cache as the library's `generate` does."""
    from transformers import GenerationMixin

    return (
        type(model).generate is GenerationMixin.generate
        and not model.config.is_encoder_decoder
        and model._supports_default_dynamic_cache()
        and all(hasattr(model, name) for name in NEEDED)
    )


class SharedPrompts:
    """Prompts in the cache, each once, and the log-probabilities of what follows.

    Args:
        inputs: of the model, padded on the left.
        padded: whether anything is.
    """

    def __init__(self, model: Any, inputs: Any, padded: bool) -> None:
        self._model, kwargs = model, dict(inputs)
        ids = kwargs.pop("input_ids")
        kwargs["use_cache"] = True
        if "position_ids" in inspect.signature(model.forward).parameters:
            kwargs["position_ids"] = model._prepare_position_ids_for_generation(ids, kwargs)
        if not padded:
            kwargs.pop("attention_mask", None)
        if model._supports_logits_to_keep():
            kwargs["logits_to_keep"] = 1
        prepared = model.prepare_inputs_for_generation(ids, is_first_iteration=True, **kwargs)
        outputs = model(**prepared, return_dict=True)
        self.logits = outputs.logits[:, -1].float()
        """(prompts, vocabulary), of the first token that follows."""
        self._ids, self._cache = ids, outputs.past_key_values
        kwargs.pop("logits_to_keep", None)
        self._kwargs = {name: value for name, value in kwargs.items() if not name.startswith(PIXELS)}

    def after(self, prompts: Sequence[int], tokens: Any) -> Any:
        """Logits (rows, n, vocabulary) behind each of the tokens (rows, n), padded on the right.

        Args:
            prompts: of each row.
        """
        import torch
        from transformers.modeling_outputs import BaseModelOutputWithPast

        ids = self._ids
        index = torch.tensor(list(prompts), device=ids.device)
        kwargs = {name: _rows(name, value, index, len(ids)) for name, value in self._kwargs.items()}
        count = tokens.shape[1]
        # what stands behind a row's end is seen by nothing but itself
        before = BaseModelOutputWithPast(past_key_values=shared_cache(self._cache, index))
        kwargs = self._model._update_model_kwargs_for_generation(before, kwargs, num_new_tokens=count)
        whole = torch.cat([ids[index], tokens], 1)
        prepared = self._model.prepare_inputs_for_generation(
            whole, next_sequence_length=count, is_first_iteration=False, **kwargs
        )
        return self._model(**prepared, return_dict=True).logits[:, -count:]


def _rows(name: str, value: Any, index: Any, count: int) -> Any:
    """An input of the prompts for the rows that follow them."""
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    if name == "position_ids" and value.ndim == 3:  # several axes of positions stand in front
        return value[:, index]
    if value.shape[0] == 1 and count > 1:
        return value.expand(count, *value.shape[1:])[index]
    return value[index]


def shared_cache(cache: Any, index: Any) -> Any:
    """A cache for rows that follow prompts: full attention refers to the prompt's, other layers (a sliding
    window, a recurrent state) are small and are copied.

    Args:
        index: (rows,), the prompt of each.
    """
    from transformers.cache_utils import DynamicLayer

    made = copy.copy(cache)
    made.layers = []
    for layer in cache.layers:
        if type(layer) is DynamicLayer:
            made.layers.append(_layer(layer, index))
        else:
            own = copy.copy(layer)
            own.batch_select_indices(index)
            made.layers.append(own)
    return made


def _layer(prompt: Any, index: Any) -> Any:
    import torch
    from transformers.cache_utils import DynamicLayer

    class SharedLayer(DynamicLayer):
        """Keys and values of the rows, behind those of their prompts."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.index, self.before = index, prompt.get_seq_length()
            self.lazy_initialization(prompt.keys, prompt.values)
            shape = (len(index), prompt.keys.shape[1], 0)
            self.keys = prompt.keys.new_empty(*shape, prompt.keys.shape[3])
            self.values = prompt.values.new_empty(*shape, prompt.values.shape[3])

        def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> Any:
            assert self.keys is not None
            assert self.values is not None
            self.keys = torch.cat([self.keys, key_states], dim=-2)
            self.values = torch.cat([self.values, value_states], dim=-2)
            return (
                torch.cat([prompt.keys[self.index], self.keys], dim=-2),
                torch.cat([prompt.values[self.index], self.values], dim=-2),
            )

        def get_seq_length(self) -> int:
            assert self.keys is not None
            return int(self.before + self.keys.shape[-2])

        def reorder_cache(self, beam_idx: Any) -> None:
            assert self.keys is not None
            assert self.values is not None
            self.index = self.index[beam_idx]
            self.keys, self.values = self.keys[beam_idx], self.values[beam_idx]

    return SharedLayer()
