"""What a baseline that only reads the question sees of a prompt."""

from __future__ import annotations

import re

from evalsuite.request import Request

_OPTION = re.compile(
    r"(?:^|\s)\(?([a-z])[.)]\s+(.+?)(?=\s+\(?[a-z][.)]\s|\s*\n|\s+answer with\b|$)", re.IGNORECASE
)


def question_of(request: Request) -> str:
    """Text of the last user turn, lower case, white space folded."""
    turns = [message.text for message in request.messages if message.role == "user"]
    return " ".join(turns[-1].lower().split()) if turns else ""


def options_of(text: str) -> list[tuple[str, str]]:
    """Letter and text of each option, when the prompt lists options "a. … b. …", else an empty list.

    >>> options_of("what color is it? a. red b. dark blue answer with the letter")
    [('a', 'red'), ('b', 'dark blue')]
    """
    found = [(match[1], match[2].strip()) for match in _OPTION.finditer(text)]
    letters = [letter.lower() for letter, _ in found]
    expected = [chr(ord("a") + i) for i in range(len(found))]
    return found if len(found) >= 2 and letters == expected else []


def stem_of(text: str) -> str:
    """The question without its options and instructions.

    >>> stem_of("what color is it? a. red b. blue answer with the letter")
    'what color is it?'
    """
    head, mark, _ = text.partition("?")
    return (head + mark).strip() if mark else text
