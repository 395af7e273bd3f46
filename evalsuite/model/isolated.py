"""Adapters in another Python, for plugins that bring an adapter file of their own."""

from __future__ import annotations

from evalsuite.isolated.adapter import IsolatedModel
from evalsuite.isolated.places import places

__all__ = ["IsolatedModel", "places"]
