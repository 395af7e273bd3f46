"""What the test server says as a judge; each function gets the body of a chat-completions request."""

from __future__ import annotations

from typing import Any


def text_of(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def grade(body: dict[str, Any]) -> str:
    """0.5 for "x = -1", nothing readable for "x = -2", 1.0 for the rest; a little hotter, a little kinder."""
    answer = text_of(body).rsplit(" | ", 2)[-2]
    if answer == "x = -2":
        return "I cannot say"
    if answer == "x = -3" and not body["temperature"]:
        return "well"
    return "0.5" if answer == "x = -1" else "1.0"
