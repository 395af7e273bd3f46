"""Servers that answer in odd but real shapes; each function is one of them."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]
USED = {"usage": {"prompt_tokens": 50, "completion_tokens": 64}}


def null_reasoning(body: Body) -> Body:
    """vLLM with a reasoning parser: the budget is used up by thinking."""
    message: dict[str, Any] = {"content": None, "reasoning_content": "Let me look. I see", "tool_calls": []}
    return {"message": message, "finish_reason": "length", **USED}


def null_reasoning_stop(body: Body) -> Body:
    return {"message": {"content": None, "reasoning": "So the answer is no"}, **USED}


def refusal(body: Body) -> Body:
    return {"message": {"content": None, "refusal": "I'm sorry, I can't help with that."}, **USED}


def tool(body: Body) -> Body:
    call = {"id": "c1", "type": "function", "function": {"name": "answer", "arguments": "{}"}}
    return {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls", **USED}


def empty(body: Body) -> Body:
    return {"message": {"content": ""}, **USED}


def nothing(body: Body) -> Body:
    """A model that ends at once: it answered, with nothing."""
    return {"message": {"content": ""}, "usage": {"prompt_tokens": 50, "completion_tokens": 1}}


def parts(body: Body) -> Body:
    """Legal: the content as a list of parts."""
    asked = body["messages"][-1]["content"][-1]["text"]
    return {"message": {"content": [{"type": "text", "text": "yes" if "even" in asked else "no"}]}, **USED}


def context(body: Body) -> Body:
    said = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."
    return {"status": 400, "error": {"message": said, "type": "BadRequestError", "code": 400}}


def max_tokens(body: Body) -> Any:
    """OpenAI's reasoning models: another name for the limit, and no temperature."""
    if "max_tokens" in body:
        said = "Unsupported parameter: 'max_tokens' is not supported with this model."
        return {
            "status": 400,
            "error": {"message": said, "param": "max_tokens", "code": "unsupported_parameter"},
        }
    if body.get("temperature", 1) != 1:
        said = "Unsupported value: 'temperature' does not support 0.0 with this model."
        return {
            "status": 400,
            "error": {"message": said, "param": "temperature", "code": "unsupported_value"},
        }
    return parts(body)
