"""Agreement of raters beyond chance: Fleiss' kappa and Krippendorff's alpha for nominal answers.

Both are 1 where all agree and 0 where raters agree no more than their answers would by chance; below 0 they
disagree systematically. Where every answer is the same, chance explains everything and neither is defined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from evalsuite.errors import SampleError

__all__ = ["fleiss_kappa", "krippendorff_alpha"]


def fleiss_kappa(counts: ArrayLike) -> float:
    """Fleiss' kappa (1971), for items that all have the same number of ratings.

    (P - P_e) / (1 - P_e): P is the mean over items of the share of pairs of raters that agree, P_e the sum of
    the squared shares of the answers.

    Args:
        counts: (items, answers): how many raters gave each answer to each item; every row adds up to the same
            number, at least 2.

    Returns:
        At most 1; NaN where all ratings are one answer.

    Raises:
        SampleError: no items, fewer than 2 ratings, or items with different numbers of them.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise SampleError(f"Fleiss' kappa needs a table of items and answers, not shape {table.shape}.")
    raters = table[0].sum()
    if raters < 2 or not (table.sum(axis=1) == raters).all():
        raise SampleError(
            "Fleiss' kappa needs the same number of ratings, at least 2, for every item.",
            "Use Krippendorff's alpha where ratings are missing.",
        )
    agreed = ((table * (table - 1)).sum(axis=1) / (raters * (raters - 1))).mean()
    chance = np.square(table.sum(axis=0) / table.sum()).sum()
    return float("nan") if chance == 1 else float((agreed - chance) / (1 - chance))


def krippendorff_alpha(units: Sequence[Sequence[Hashable]]) -> float:
    """Krippendorff's alpha for nominal data (2011, "Computing Krippendorff's alpha-reliability").

    1 - D_o / D_e: the observed over the expected disagreement of pairs of answers to one item, where the
    pairs of an item with m answers weigh 1 / (m - 1).

    Args:
        units: the answers that each item got, any number of them; items with fewer than two count nowhere.

    Returns:
        At most 1; NaN where no item has two answers, or all answers are one.
    """
    pairable = [Counter(unit) for unit in units if len(unit) > 1]
    totals: Counter[Hashable] = Counter()
    for counts in pairable:
        totals.update(counts)
    n = sum(totals.values())
    if not n:
        return float("nan")
    disagreed = 0.0
    for counts in pairable:
        m = sum(counts.values())
        disagreed += (m * m - sum(c * c for c in counts.values())) / (m - 1)
    expected = (n * n - sum(c * c for c in totals.values())) / (n - 1)
    return float("nan") if not expected else 1 - disagreed / expected
