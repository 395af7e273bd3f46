"""A number taken apart: what scoring, postprocessing, prompt, decoding and sampling have to do with it."""

from __future__ import annotations

from evalsuite.explaining.explain import explain_number
from evalsuite.explaining.parts import Explanation, Part, as_json, markdown

__all__ = ["Explanation", "Part", "as_json", "explain_number", "markdown"]
