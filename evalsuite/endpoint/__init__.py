"""Models behind an OpenAI-compatible server: asked through the official `openai` package (extra `api`).

`Endpoint` asks; `Chat` and `Drawing` are what is asked, `Reply` and `Drawn` what comes back. Who is asked,
with which patience, is a `Server`. Nothing here knows tasks, runs or stores: the judge and the model adapter
build on it.
"""

from __future__ import annotations

from evalsuite.endpoint.client import Endpoint
from evalsuite.endpoint.messages import chat_messages, data_uri
from evalsuite.endpoint.server import Server
from evalsuite.endpoint.talk import Chat, Drawing, Drawn, Reply, TokenLogprob

__all__ = [
    "Chat",
    "Drawing",
    "Drawn",
    "Endpoint",
    "Reply",
    "Server",
    "TokenLogprob",
    "chat_messages",
    "data_uri",
]
