"""Official packages run beside evalsuite on the same inputs: value, value, difference, verdict.

Each package runs in an interpreter of its own (`child.py`, which needs nothing of evalsuite), so that what it
pins cannot disturb this environment, nor the other way round.
"""

from __future__ import annotations

from evalsuite.parity.environments import Environments
from evalsuite.parity.images import DIMENSIONS, IMAGE_PACKAGES, compare_images, compare_pairs
from evalsuite.parity.lines import Line, Parity, Tolerance
from evalsuite.parity.packages import PACKAGES, Package
from evalsuite.parity.texts import compare_captions, compare_language, compare_yes_no

__all__ = [
    "DIMENSIONS",
    "IMAGE_PACKAGES",
    "PACKAGES",
    "Environments",
    "Line",
    "Package",
    "Parity",
    "Tolerance",
    "compare_captions",
    "compare_images",
    "compare_language",
    "compare_pairs",
    "compare_yes_no",
]
