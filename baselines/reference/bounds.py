"""How a reference row is told in the record of a run, for whoever marks models that do not beat it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

LOWER_BOUND: Mapping[str, Any] = MappingProxyType({"reference": "lower bound"})
