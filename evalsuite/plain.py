"""Text of models, data sets and servers, made harmless for terminals, spreadsheets and typesetters."""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Marks that change the order in which a terminal shows what follows."""
_UNSEEN = "\u00ad\u180e\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
"""Other line breaks, and characters that nobody sees. Joiners stay: scripts and emoji need them."""
_ACTIVE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}{_UNSEEN}\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula; the full-width signs, too."""


def plain(text: str) -> str:
    """The text with every character that a terminal would obey replaced by one that it shows.

    Control characters become their pictures (U+2400 …), marks of direction and unseen characters U+FFFD, so
    that no width changes. Line ends and tabs stay.

    >>> plain("\\x1b[2Jgone")
    '␛[2Jgone'
    """
    return _ACTIVE.sub(_picture, text)


def plain_line(text: str) -> str:
    """As `plain`, on one line.

    >>> plain_line("one\\n two")
    'one two'
    """
    return plain(" ".join(text.split()))


def cell(text: str) -> str:
    """A text for a cell of a CSV file; an apostrophe keeps a spreadsheet from taking it for a formula.

    >>> cell("=1+1"), cell("plain")
    ("'=1+1", 'plain')
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def printable(text: str, instead: str = "\ufffd") -> str:
    """The text without characters that neither XML nor TeX may hold; line ends and tabs stay.

    >>> printable("a\\x00b", "")
    'ab'
    """
    return (
        "".join(
            instead if unicodedata.category(sign) in ("Cc", "Cs") and sign not in _KEPT else sign
            for sign in text
        )
        if _ACTIVE.search(text)
        else text
    )


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
