"""What the adapters of research repositories share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

FILE = Path(__file__).parents[2] / "baselines" / "isolated" / "adapters" / "adapter_tools.py"
spec = importlib.util.spec_from_file_location("adapter_tools", FILE)
assert spec is not None
assert spec.loader is not None
tools: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tools)


def wanted(seed: int = 1, text: str = "a dog", **output: Any) -> dict[str, Any]:
    given = {"count": 1, "guidance_scale": None, "steps": None, **output}
    message = {"role": "user", "parts": [{"text": text}]}
    return {"messages": [message], "output": given, "seed": seed}


class Draws(tools.OneByOne):
    def _images(self, request: dict[str, Any]) -> dict[str, Any]:
        return tools.fixed_size_images(
            request, {"steps": "7"}, "It", 64, self._one, guidance_scale=2.0, num_steps=30
        )

    def _one(self, text: str, steps: int, scale: float) -> tuple[str, float]:
        return text, float(torch.rand(()))


class Reads(Draws):
    def _text(self, request: dict[str, Any]) -> str:
        return str(tools.text_alone(request, "It"))


def test_a_model_can_what_it_has_an_answer_for() -> None:
    assert [hasattr(Draws, name) for name in ("generate_text", "generate_images", "generate_documents")] == [
        False,
        True,
        False,
    ]
    assert Reads().generate_text([wanted(text="a"), wanted(text="b")]) == ["a", "b"]
    assert Reads.generate_images


def test_a_refused_request_fails_alone_and_any_other_error_is_the_batchs() -> None:
    first, refused, last = Draws().generate_images(
        [wanted(), wanted(width=32, height=64), wanted(guidance_scale=0.0, steps=3)]
    )
    assert isinstance(refused, tools.Refused)
    assert "64x64" in str(refused)
    assert first["details"] == {"guidance_scale": 2.0, "steps": 7}
    assert last["details"] == {"guidance_scale": 0.0, "steps": 3}  # no guidance is a wish, too
    with pytest.raises(KeyError):
        Draws().generate_images([{"messages": []}])


def test_each_image_comes_from_its_own_seed() -> None:
    def made(request: dict[str, Any]) -> list[Any]:
        (answer,) = Draws().generate_images([request])
        return list(answer["images"])

    assert made(wanted(5, count=2)) == [*made(wanted(5)), *made(wanted(6))]
    assert made(wanted(5)) != made(wanted(6))


def test_pixels_are_clipped_and_rounded_down() -> None:
    values = torch.tensor([-1.2, -1.0, 0.0, 0.9999, 1.0, 3.0]).repeat(3, 1, 1)
    image = tools.as_image(values)
    assert image.size == (6, 1)
    assert [image.getpixel((place, 0))[1] for place in range(6)] == [0, 0, 127, 254, 255, 255]
