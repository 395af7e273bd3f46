"""Baselines that look up what training said: the nearest image's words, the nearest caption's image."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.errors import SampleError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import GenerateImages, ImageResponse, Request, TextResponse

from .bounds import LOWER_BOUND
from .images import Album
from .prompts import options_of, question_of, stem_of


class NearestNeighbour:
    """Says of an image what was said of the training image nearest to it.

    Asked a question, it takes the answer of the nearest image about which the same question was asked
    (among options, the one with that text; the first where none has it), and nothing where it was never
    asked. Asked anything else, it gives the nearest image's caption.
    """

    def __init__(self, album: Album) -> None:
        self._album = album
        self._info = ModelInfo(
            "nearest-neighbour",
            album.fingerprint("nearest-neighbour"),
            details={"pictures": album.source, **LOWER_BOUND},
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        if not request.images:
            raise SampleError("nearest-neighbour looks at an image, and the prompt holds none.")
        return Prepared(request, question_of(request))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        ranks = self._album.near_images([item.request.images[-1] for item in batch])
        return [
            TextResponse(self._said(item.payload, list(map(int, ranked))))
            for item, ranked in zip(batch, ranks, strict=True)
        ]

    def _said(self, text: str, ranked: list[int]) -> str:
        options = options_of(text)
        if "?" not in text and not options:
            return self._album.known[ranked[0]].captions[0]
        question = stem_of(text)
        answers = (self._album.known[i].answers.get(question) for i in ranked)
        answer = next((found for found in answers if found is not None), "")
        if not options:
            return answer
        return next((letter for letter, option in options if option == answer), options[0][0])


class Retrieval:
    """Generates nothing: returns the training image whose caption is nearest to the prompt.

    The "retrieval result" of text-to-image tables; several images are the nearest ones in their order.
    """

    def __init__(self, album: Album) -> None:
        self._album = album
        self._info = ModelInfo(
            "retrieval", album.fingerprint("retrieval"), details={"pictures": album.source, **LOWER_BOUND}
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        output = request.output
        assert isinstance(output, GenerateImages)
        if output.count > len(self._album.known):
            raise SampleError(f"retrieval has {len(self._album.known)} images, not {output.count}.")
        return Prepared(request, "".join(message.text for message in request.messages).strip())

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        responses = []
        for item, ranked in zip(batch, self._album.near_captions([i.payload for i in batch]), strict=True):
            assert isinstance(item.request.output, GenerateImages)
            chosen = [self._album.known[int(i)] for i in ranked[: item.request.output.count]]
            responses.append(
                ImageResponse(
                    tuple(known.image for known in chosen), {"captions": [k.captions[0] for k in chosen]}
                )
            )
        return responses
