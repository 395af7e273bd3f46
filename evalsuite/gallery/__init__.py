"""Contact sheets of what models generated: images with their prompts, and documents as strips."""

from __future__ import annotations

from evalsuite.gallery.drawing import draw

__all__ = ["draw"]
