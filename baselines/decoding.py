"""Token by token with `transformers`: one copy to the host per token tells everything that is asked there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from evalsuite.errors import SpecError

from .options import switch

Chooses = Callable[[Any, Any], Any]
"""Ids so far and scores (rows, vocabulary) to scores; see `generation.Sampled`."""
Stops = Callable[[Sequence[int]], bool]
"""New ids of a row; True ends it."""


class OneWait:
    """A decoding method for `generate(custom_generate=…)`: greedy, or sampled by `choose`.

    The library's own loop asks the device for the end of all rows, and stopping criteria for their text ask
    again. Here the new tokens come to the host once, where ends and stop strings are found.

    Args:
        choose: changes scores before the likeliest token is taken.
        stop: ends a row by its new ids.
    """

    __name__ = "one_wait"

    def __init__(self, choose: Chooses | None = None, stop: Stops | None = None) -> None:
        self._choose, self._stop = choose, stop

    def __call__(
        self,
        model: Any,
        input_ids: Any,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> Any:
        import torch

        ends = _ends(generation_config)
        pad = _filler(generation_config)
        compiled = model._valid_auto_compile_criteria(model_kwargs, generation_config)
        forward = model.get_compiled_call(generation_config.compile_config) if compiled else model.__call__
        rows: list[list[int]] = [[] for _ in range(len(input_ids))]
        going = [True] * len(rows)
        outputs = model._prefill(input_ids, generation_config, model_kwargs)
        width, limit = input_ids.shape[1], generation_config.max_length
        while True:
            model_kwargs = model._update_model_kwargs_for_generation(
                outputs, model_kwargs, is_encoder_decoder=model.config.is_encoder_decoder
            )
            # a copy, so that the logits of a whole prompt are not kept
            logits = outputs.logits[:, -1].to(copy=True, dtype=torch.float32, device=input_ids.device)
            del outputs
            scores = logits_processor(input_ids, logits)
            if self._choose is not None:
                scores = self._choose(input_ids, scores)
            tokens = scores.argmax(-1)
            found = tokens.tolist()  # the only wait
            filled = [token if alive else pad for token, alive in zip(found, going, strict=True)]
            if filled != found:
                tokens = torch.tensor(filled, device=tokens.device)
            for row, token in enumerate(filled):
                if going[row]:
                    rows[row].append(token)
                    going[row] = token not in ends and not (self._stop and self._stop(rows[row]))
            input_ids = torch.cat([input_ids, tokens[:, None]], dim=-1)
            width += 1
            if not any(going) or width >= limit:
                return input_ids
            step = 1 if model_kwargs["use_cache"] else None
            inputs = model.prepare_inputs_for_generation(input_ids, next_sequence_length=step, **model_kwargs)
            with getattr(model, "_optimize_model_for_decode", nullcontext)():
                outputs = forward(**inputs, return_dict=True)


def _ends(config: Any) -> frozenset[int]:
    found = config.eos_token_id
    return frozenset() if found is None else frozenset([found] if isinstance(found, int) else found)


def _filler(config: Any) -> int:
    """What stands behind a row's end: the padding token, else the ending one, as in the library."""
    ids = config.eos_token_id if config.pad_token_id is None else config.pad_token_id
    return ids if isinstance(ids, int) else int(ids[0]) if ids else 0


def takes_own_loop(model: Any) -> bool:
    """Whether `generate` of this model hands `custom_generate` on: the library's own does, and those of its
    models that prepare inputs and then call it; not the code beside a checkpoint."""
    from transformers import GenerationMixin

    own = type(model).generate
    inside = own is GenerationMixin.generate or own.__module__.startswith("transformers.models.")
    inside &= getattr(type(model), "_sample", None) is GenerationMixin._sample
    needed = ("_prefill", "_valid_auto_compile_criteria", "_update_model_kwargs_for_generation")
    return inside and all(hasattr(GenerationMixin, name) for name in needed)


def check_decoding(model: Any, source: str, options: Mapping[str, str]) -> None:
    """Refuses options of decoding that the model cannot follow.

    Raises SpecError for `compile` without a static cache, and for a static cache of a model that cannot have
    one.
    """
    static, compiled = options.get("cache") == "static", switch(options, "compile")
    if compiled and not static:
        raise SpecError("Option compile=yes needs a cache of fixed size.", "Add --option cache=static.")
    if static and not (takes_own_loop(model) and getattr(model, "_can_compile_fullgraph", False)):
        raise SpecError(
            f"{source} ({model.config.model_type}) cannot decode with a cache of fixed size.",
            "Omit --option cache=static.",
        )


def static_arguments(options: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of `generate` for the options `cache` and `compile`."""
    if options.get("cache") != "static":
        return {}
    if not switch(options, "compile"):
        return {"cache_implementation": "static", "disable_compile": True}
    from transformers import CompileConfig

    config: Any = CompileConfig()
    config._compile_all_devices = True  # the library leaves the CPU out otherwise
    return {"cache_implementation": "static", "compile_config": config}


_PADDED: ContextVar[bool] = ContextVar("padded", default=False)


@contextmanager
def padded(known: bool) -> Iterator[None]:
    """While it is known on the host that a batch is padded, the library does not ask the device at every
    token whether attention can do without a mask: it cannot.

    Only ever answers that the mask is needed, which is always right.
    """
    _install()
    token = _PADDED.set(known)
    try:
        yield
    finally:
        _PADDED.reset(token)


def _install() -> None:
    """Puts the question once behind `_PADDED`; a library that asks in another way is left as it is."""
    from transformers import masking_utils

    asked: Any = getattr(masking_utils, "fast_all", None)
    if asked is None or hasattr(asked, "asked"):
        return

    def fast_all(tensor: Any) -> Any:
        return False if _PADDED.get() else asked(tensor)

    fast_all.asked = asked  # type: ignore[attr-defined]
    setattr(masking_utils, "fast_all", fast_all)  # noqa: B010
