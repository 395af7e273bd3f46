"""What the test server says as a judge; each function gets the body of a chat-completions request."""

from __future__ import annotations

from typing import Any


def text_of(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _answer(body: dict[str, Any]) -> str:
    return text_of(body).rsplit(" | ", 2)[-2]


def grade(body: dict[str, Any]) -> str:
    """A grade for MM-Vet: 0.5 for "x = -1", else 1.0."""
    return "0.5" if _answer(body) == "x = -1" else "1.0"


def cut(body: dict[str, Any]) -> str:
    """A grade that ends in half a surrogate pair, and a NUL."""
    return f"{grade(body)} \0\ud83d"


def hesitant(body: dict[str, Any]) -> str:
    """No grade at all for "x = -2"; for "x = -3" none before it is asked at 0.5 degrees."""
    answer = _answer(body)
    if answer == "x = -2" or (answer == "x = -3" and body["temperature"] < 0.5):
        return "I cannot say"
    return grade(body)


def renamed(body: dict[str, Any]) -> dict[str, Any]:
    """Another model answers the question about "x = -3"."""
    name = "judge-new" if _answer(body) == "x = -3" else "judge-old"
    return {"text": "1.0", "model": name}


def viescore(body: dict[str, Any]) -> str:
    """SC [8, 6], PQ [9, 9]; both unreadable where the instruction says "mumble"."""
    text = text_of(body)
    if "Editing instruction: mumble" in text:
        return "hm"
    scores = "[8, 6]" if "Editing instruction:" in text else "[9, 9]"
    return f'{{"score" : {scores}, "reasoning" : "so so"}}'
