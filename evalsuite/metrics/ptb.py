"""The caption tokenizer: Stanford's PTBTokenizer as pycocoevalcap drives it, without Java.

pycocoevalcap writes all captions into one file, one a line, runs Stanford CoreNLP 3.4.1's PTBTokenizer with
`-preserveLines -lowerCase` over it and drops punctuation tokens. The tokenizer looks across line ends:
whether a caption keeps the period of a final abbreviation depends on the caption after it. So exact equality
needs all captions of a run in the official order in one call, and `tokenize_captions` takes them that way.

Checked against the Java program: the automaton is equivalent state by state, and generated strings as well as
the recorded official tokens agree (tests/metrics/test_ptb.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from evalsuite.metrics._lexer import Lexer
from evalsuite.metrics._ptb_chars import CAPITALS, DIGITS, LETTERS
from evalsuite.metrics._ptb_rules import NAMES, NEWLINE_TOKEN, RULES

__all__ = ["PUNCTUATION", "ptb_lines", "tokenize_captions"]

PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
"""The tokens that pycocoevalcap drops. It compares after lower-casing, so "-lrb-" stays in a caption."""

# A line end inside a caption would shift every later caption by one, silently; the official code only guards
# "\n".
_LINE_ENDS = re.compile("[\n\r\v\f\u2028\u2029]")
_BEYOND_PLANE_0 = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# A word with what follows it, as captions mostly have it; see `_scan`.
_PLAIN_WORD = re.compile("[A-Za-z]+(?:,? |\\.?\n)|\\.\n")
_CACHED_WORDS = 1 << 18

# Java's words for `_lower_greek`, in characters that stand for letters, digits, dashes and ignorable marks.
_KINDS_IN_WORD = {
    **dict.fromkeys(("Lu", "Ll", "Lt", "Lm", "Lo", "Mc"), "l"), "Nd": "d", "Pd": "m", "Pc": "m",
    **dict.fromkeys(("Mn", "Me", "Cf"), "i"),
}  # fmt: skip
_JAVA_WORD = re.compile("(?:l[li]*(?:ml[li]*)*|d[di]*)+")


@lru_cache(maxsize=1)
def _lexer() -> Lexer:
    classes = {"L": LETTERS.__contains__, "U": CAPITALS.__contains__, "D": DIGITS.__contains__}
    return Lexer(RULES, NAMES, classes, {"i": "iI\u0130\u0131", "s": "sS\u017f", "k": "kK\u212a"})


@lru_cache(maxsize=1)
def _word_cache() -> dict[str, tuple[str, int]]:
    return {}


def _units(text: str) -> str:
    """The text as Java sees it: one character per UTF-16 code unit."""
    units = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(units[i] | units[i + 1] << 8) for i in range(0, len(units), 2))


def _characters(units: str) -> str:
    """The opposite of `_units`; halves without their other half stay as they are."""
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _lower(token: str) -> str:
    if _SURROGATE.search(token) is not None:
        # Java matches by code unit, but changes the case of whole characters (Deseret, Osage …).
        return _units(_characters(token).lower())
    return _lower_greek(token) if "Σ" in token else token.lower()


def _lower_greek(token: str) -> str:
    """Java's lower case of a token with a capital sigma.

    It is a final one if a cased letter stands before it, and none behind it, in its word; Java's words hold
    digits, and hyphens and the like between letters. Python looks at the neighbouring letters alone.
    """
    kinds = "".join(map(_kind_in_word, token))
    made = [char.lower() for char in token]
    for word in _JAVA_WORD.finditer(kinds):
        cased = [at for at in range(*word.span()) if token[at].islower() or token[at].istitle()]
        for at in (at for at in cased if token[at] == "Σ"):
            made[at] = "ς" if at == cased[-1] and at != cased[0] else "σ"
    return "".join(made)


def _kind_in_word(char: str) -> str:
    if "\u3041" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or char in "\"'.":
        return "m" if char < "\u3041" else " "  # Java puts kana and ideographs into words of their own
    return _KINDS_IN_WORD.get(unicodedata.category(char), " ")


def _scan(text: str, at: int) -> tuple[list[str], int, bool]:
    """The tokens of one line from `at`, where the next begins, and whether a line end was met."""
    lexer, known = _lexer(), _word_cache()
    plain, match, rules = _PLAIN_WORD.match, lexer.match, RULES
    tokens: list[str] = []
    add = tokens.append
    size = len(text)
    while at < size:
        char = text[at]
        if char == "\n":
            return tokens, at + 1, True
        # Spaces of all kinds in a row are one match; before ASCII a single one can be stepped over.
        if char == " " and text[at + 1 : at + 2] < "\x80":
            at += 1
            continue
        word = plain(text, at)
        if word and (cached := known.get(word[0])):
            add(cached[0])
            at += cached[1]
            continue
        index, end, read = match(text, at)
        rule = rules[index]
        kept = end - rule.split
        token = rule.text(text[at:kept])
        # The first token of `word` depends on `word` alone if nothing behind it was looked at.
        if word and token is not None and read <= word.end() and len(known) < _CACHED_WORDS:
            known[word[0]] = (token.lower(), kept - rule.repeat - at)
        at = kept - rule.repeat
        if token is NEWLINE_TOKEN:
            return tokens, at, True
        if token is not None:
            add(_lower(token))
    return tokens, at, False


class _Parts(dict[str, str | None]):
    """What stands between two spaces -> its tokens, each behind a space; None where it depends on more.

    Most captions are made of such parts alone, and need no lexer once their words are known.

    Args:
        end: what follows the part: a space, a line end, or both.
        dropped: tokens that are left out.
    """

    def __init__(self, end: str, dropped: frozenset[str]) -> None:
        super().__init__()
        self._end = end
        self._dropped = dropped

    def __missing__(self, part: str) -> str | None:
        found = self._tokens(part)
        if len(self) < _CACHED_WORDS:
            self[part] = found
        return found

    def _tokens(self, part: str) -> str | None:
        if not (part.isascii() and part.isprintable()):
            return None
        # Where a match looks behind `end`, it would depend on the text there.
        text, seen, at, tokens = part + self._end + "x", len(part + self._end), 0, ""
        while at < len(part):
            index, end, read = _lexer().match(text, at)
            rule = RULES[index]
            kept = end - rule.split
            token = rule.text(text[at:kept])
            if read > seen or kept > len(part):
                return None
            if token is not None and token.lower() not in self._dropped:
                tokens += " " + token.lower()
            at = kept - rule.repeat
        return tokens


@lru_cache(maxsize=2)
def _parts(dropped: frozenset[str]) -> tuple[_Parts, _Parts, _Parts]:
    return _Parts(" ", dropped), _Parts("\n", dropped), _Parts(" \n", dropped)


def _lines(text: str, dropped: frozenset[str]) -> list[str]:
    """The printed lines, tokens with spaces between, without the dropped ones."""
    middle, last, last_spaced = _parts(dropped)
    lines: list[str] = []
    at, more = 0, True
    while more:
        end = text.find("\n", at)
        if end >= 0:
            parts = text[at:end].split(" ")
            final, ends = parts.pop(), last
            if not final and parts:
                final, ends = parts.pop(), last_spaced
            found = [middle[part] for part in parts]
            found.append(ends[final])
            if None not in found:
                lines.append("".join(found)[1:])  # type: ignore[arg-type]
                at = end + 1
                continue
        tokens, at, more = _scan(text, at)
        line = " ".join(tokens)
        if dropped:
            line = " ".join([word for word in line.rstrip().split(" ") if word not in dropped])
        lines.append(line)
    return lines


def _printed(text: str, dropped: frozenset[str] = frozenset()) -> list[str]:
    if _BEYOND_PLANE_0.search(text) is None:
        return _lines(text, dropped)
    # Halves of characters whose other half was dropped are printed as question marks.
    return [_SURROGATE.sub("?", _characters(line)) for line in _lines(_units(text), dropped)]


def ptb_lines(text: str) -> str:
    """What `PTBTokenizer -preserveLines -lowerCase` prints for `text`: tokens with spaces between, line by
    line."""
    return "\n".join(_printed(text))


def tokenize_captions(captions: Iterable[str]) -> list[str]:
    """Official tokens of all captions of one run, in the official order: one string per caption.

    Args:
        captions: references image by image, or predictions image by image; not both in one call. Line-end
            characters inside a caption count as spaces.

    Returns:
        Lower-cased tokens without punctuation, joined by single spaces.

    >>> tokenize_captions(["Two dogs can't swim, can they?"])
    ["two dogs ca n't swim can they"]
    """
    lines = [_LINE_ENDS.sub(" ", caption) for caption in captions]
    if not lines:
        return []
    return _printed("\n".join(lines), PUNCTUATION)
