"""Structure checks of a written document: order, counts, limits."""

from __future__ import annotations

from itertools import pairwise

from evalsuite.content import Document, Image, Text

from .settings import Limits


def faults(parts: Document, truncated: bool, limits: Limits, max_images_per_document: int) -> list[str]:
    """What a document does not keep, in words; empty where it is in form.

    Args:
        parts: the document as written, the opening included.
        truncated: a limit ended it.
        max_images_per_document: where `limits` name no number.
    """
    found = []
    images = sum(isinstance(part, Image) for part in parts)
    words = sum(len(part.text.split()) for part in parts if isinstance(part, Text))
    most = (
        max_images_per_document if limits.max_images_per_document is None else limits.max_images_per_document
    )
    if images < limits.min_images_per_document:
        found.append(f"{images} images, at least {limits.min_images_per_document} are required")
    if images > most:
        found.append(f"{images} images, at most {most} are allowed")
    if words < limits.least_words:
        found.append(f"{words} words, at least {limits.least_words} are required")
    if limits.text_first and parts and isinstance(parts[0], Image):
        found.append("begins with an image")
    if limits.text_between and any(isinstance(a, Image) and isinstance(b, Image) for a, b in pairwise(parts)):
        found.append("images without text between them")
    if limits.ended and truncated:
        found.append("not ended by the model")
    return found


def joined(parts: Document) -> Document:
    """The document with texts side by side joined by a space, and empty ones left out."""
    found: list[Text | Image] = []
    for part in parts:
        if isinstance(part, Image):
            found.append(part)
        elif part.text.strip():
            text = part.text.strip()
            if found and isinstance(found[-1], Text):
                found[-1] = Text(f"{found[-1].text} {text}")
            else:
                found.append(Text(text))
    return tuple(found)
