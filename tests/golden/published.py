"""Expected results that lie beside prediction files or were published for them, and how they are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.goldens import read_json

_PUBLISHED = Path(__file__).with_name("published.json")


def expected_of(kind: str, predictions: Path) -> dict[str, Any]:
    """What a prediction file should give, by metric; empty where nobody says.

    A JSON file of its name beside it (`x.expected.json`, `x.json`), an entry in `expected.json`, else what
    `published.json` has for it.
    """
    stem = predictions.name.split(".json")[0].split(".tsv")[0]
    for name in (f"{stem}.expected.json", f"{stem}.json", "expected.json"):
        path = predictions.with_name(name)
        if path.is_file() and path != predictions:
            found = read_json(path)
            found = found.get(stem, found if name != "expected.json" else {})
            if found:
                return dict(found)
    known = read_json(_PUBLISHED)[kind].items()
    return next((dict(found) for name, found in known if stem.startswith(name)), {})


def agrees(ours: float, expected: float) -> bool:
    """Whether a share in [0, 1] is the printed number, in percent or not, to the digit that is printed."""
    digits = len(str(expected).partition(".")[2])
    return expected in (round(ours, digits), round(100 * ours, digits))
