"""Addresses inside the site: the samples behind a number, as the sample browser's filters name them."""

from __future__ import annotations

from urllib.parse import quote, urlencode


def samples_href(slug: str, up: str = "../", **state: str | int | float | None) -> str:
    """The sample browser of a page with filters set.

    Args:
        slug: of the page.
        state: filters by their names in the address (`assets/filters.js`); those that are None or "" are left
            out. A label is `label.NAME`.
    """
    kept = {name: str(value) for name, value in state.items() if value not in (None, "")}
    found = urlencode(kept, errors="replace", quote_via=quote)
    return f"{up}samples/{slug}.html" + (f"#{found}" if found else "")
