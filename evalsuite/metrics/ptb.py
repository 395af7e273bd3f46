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
# A word with what follows it, as captions mostly have it; see `_tokens`.
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
    made = list(token.lower())
    if len(made) != len(token):  # a character whose lower case is longer: too rare to follow
        return "".join(made)
    for word in _JAVA_WORD.finditer(kinds):
        cased = [at for at in range(*word.span()) if token[at].isupper() or token[at].islower()]
        for at in (at for at in cased if token[at] == "Σ"):
            made[at] = "ς" if at == cased[-1] and at != cased[0] else "σ"
    return "".join(made)


def _kind_in_word(char: str) -> str:
    if "\u3041" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or char in "\"'.":
        return "m" if char < "\u3041" else " "  # Java puts kana and ideographs into words of their own
    return _KINDS_IN_WORD.get(unicodedata.category(char), " ")


def _tokens(text: str) -> list[str]:
    lexer, known = _lexer(), _word_cache()
    plain, match, rules = _PLAIN_WORD.match, lexer.match, RULES
    tokens: list[str] = []
    add = tokens.append
    at, size = 0, len(text)
    while at < size:
        char = text[at]
        if char == "\n":
            add(NEWLINE_TOKEN)
            at += 1
            continue
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
        if token is not None:
            add(token if token is NEWLINE_TOKEN else _lower(token))
        at = kept - rule.repeat
    return tokens


def ptb_lines(text: str) -> str:
    """What `PTBTokenizer -preserveLines -lowerCase` prints for `text`: tokens with spaces between, line by
    line."""
    wide = _BEYOND_PLANE_0.search(text) is not None
    if wide:
        text = _units(text)
    lines: list[str] = []
    line: list[str] = []
    for token in _tokens(text):
        if token is NEWLINE_TOKEN:
            lines.append(" ".join(line))
            line = []
        else:
            line.append(token)
    printed = "\n".join([*lines, " ".join(line)])
    if wide:
        # Halves of characters whose other half was dropped are printed as question marks.
        printed = _SURROGATE.sub("?", _characters(printed))
    return printed


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
    printed = ptb_lines("\n".join(lines)).split("\n")
    kept = ([word for word in line.rstrip().split(" ") if word not in PUNCTUATION] for line in printed)
    return [" ".join(words) for words in kept]
