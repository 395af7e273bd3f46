"""Models behind an OpenAI-compatible server, for adapters: the client, what it sends and what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach

if TYPE_CHECKING:
    from evalsuite.endpoint import Chat, Completion, Endpoint, ImageReply, ImageRequest, Reply, Server
    from evalsuite.engine.serving import EngineProcess
    from evalsuite.ray.devices import assigned_gpus

__all__ = [
    "Chat",
    "Completion",
    "Endpoint",
    "EngineProcess",
    "ImageReply",
    "ImageRequest",
    "Reply",
    "Server",
    "assigned_gpus",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.endpoint": "Chat Completion Endpoint ImageReply ImageRequest Reply Server",
            "evalsuite.engine.serving": "EngineProcess",
            "evalsuite.ray.devices": "assigned_gpus",
        },
    )
