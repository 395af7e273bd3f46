"""A few types of transformers, built by rule, through the generic adapter; docs/families.md has all."""

from __future__ import annotations

import pytest
from evalsuite_baselines.image_text.videoless import needed, no_videos

from evalsuite.errors import SampleError
from tests.baselines import generic
from tests.baselines.measure_types import measure


@pytest.mark.slow
@pytest.mark.parametrize(
    "model_type", ["glm4v", "qwen2_5_vl", "qwen2_5_omni_thinker", "cosmos3_edge", "blip"]
)
def test_a_type_built_by_rule_answers_in_batches_as_alone(model_type: str) -> None:
    found = measure(model_type)
    assert "why" not in found, found
    assert found["batch = single"] == "yes"


def test_every_type_of_both_lists_is_known() -> None:
    assert {"qwen2_vl", "janus", "qwen2_5_omni"} <= set(generic.types())
    assert len(generic.types()) >= 112


@pytest.mark.skipif(not needed(), reason="torchvision is here")
def test_what_needs_torchvision_says_so() -> None:
    assert "torchvision" in measure("llama4")["why"]


def test_a_stand_in_for_a_video_processor_has_its_settings_and_refuses_videos() -> None:
    made = no_videos({"merge_size": 4})
    assert (made.merge_size, made.temporal_patch_size) == (4, 2)
    assert made.to_dict()["merge_size"] == 4
    with pytest.raises(AttributeError):
        _ = made.unknown
    with pytest.raises(SampleError, match="need torchvision"):
        made([])
