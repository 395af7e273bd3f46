"""Adapters in another interpreter, for plugins that bring an adapter file of their own."""

from __future__ import annotations

from evalsuite.isolated.adapter import IsolatedModel

__all__ = ["IsolatedModel"]
