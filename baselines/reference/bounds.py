"""How the record of a run names a reference row, so that models that do not beat it can be marked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

LOWER_BOUND: Mapping[str, Any] = MappingProxyType({"reference": "lower bound"})
