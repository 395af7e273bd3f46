"""Models behind an OpenAI-compatible server: asked through the official `openai` package (extra `api`).

`Endpoint` asks; `Chat` and `ImageRequest` are what is asked, `Reply` and `ImageReply` what comes back. Who is
asked, with which patience, is a `Server`. Nothing here knows tasks, runs or stores: the judge and the model
adapter build on it.
"""

from __future__ import annotations

from evalsuite.endpoint.client import Endpoint
from evalsuite.endpoint.messages import chat_messages, data_uri
from evalsuite.endpoint.server import Server
from evalsuite.endpoint.types import Chat, Completion, ImageReply, ImageRequest, Reply, TokenLogprob

__all__ = [
    "Chat",
    "Completion",
    "Endpoint",
    "ImageReply",
    "ImageRequest",
    "Reply",
    "Server",
    "TokenLogprob",
    "chat_messages",
    "data_uri",
]
