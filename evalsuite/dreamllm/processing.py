"""From text and images to what the model takes, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from evalsuite.dreamllm.configuration import SpecialTokens
from evalsuite.dreamllm.conversation import Mark, Piece, merged
from evalsuite.dreamllm.images import ImagePreprocessor
from evalsuite.dreamllm.tokenization import Tokenizer, load_tokenizer
from evalsuite.dreamllm.weights import read_json
from evalsuite.errors import CheckpointError, SampleError


class DreamLLMProcessor:
    """Tokenizer, image preprocessing and block lengths of one checkpoint.

    Args:
        tokenizer: text to ids.
        images: images to pixels of the vision tower.
        tokens: special ids, the model's `config.tokens`.
        num_patches, num_dream_queries: P and Q.
        limit: longest sequence, the model's `config.sequence_limit`.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        images: ImagePreprocessor,
        tokens: SpecialTokens,
        num_patches: int,
        num_dream_queries: int,
        limit: int,
    ) -> None:
        self.tokenizer, self.images, self.tokens = tokenizer, images, tokens
        self.num_patches, self.num_dream_queries, self.limit = num_patches, num_dream_queries, limit

    @property
    def image_block(self) -> list[int]:
        """`<im_start>`, P x `<im_patch>`, `<im_end>`."""
        tokens = self.tokens
        return [tokens.image_start, *[tokens.image_patch] * self.num_patches, tokens.image_end]

    @property
    def dream_block(self) -> list[int]:
        """`<dream_start>`, Q x `<im_patch>`, `<dream_end>`."""
        tokens = self.tokens
        return [tokens.dream_start, *[tokens.image_patch] * self.num_dream_queries, tokens.dream_end]

    def encode(self, pieces: str | Iterable[Piece], *, bos: bool = True, room: int = 0) -> list[int]:
        """Ids of a prompt. Texts of special tokens inside text pieces are spelt out, not obeyed.

        Args:
            bos: begin with `<s>`.
            room: positions to be kept free for the answer (or the dream block).

        Raises:
            SampleError: too long; says how many images would fit.
        """
        ids = [self.tokens.bos] if bos else []
        start, images = True, 0
        for piece in merged([pieces] if isinstance(pieces, str) else pieces):
            if isinstance(piece, str):
                ids += self.tokenizer.encode(piece, start=start)
            elif piece is Mark.IMAGE:
                ids += self.image_block
                images += 1
            elif piece is Mark.DREAM:
                ids += self.dream_block
            else:
                ids.append(self.tokens.bos if piece is Mark.BOS else self.tokens.eos)
            start = False
        self._check(len(ids), images, room)
        return ids

    def encode_choices(
        self, pieces: str | Iterable[Piece], choices: Sequence[str], *, bos: bool = True
    ) -> tuple[list[int], list[list[int]]]:
        """A prompt and its possible continuations, tokenised together and then parted.

        A choice's first token may melt into the prompt's last; what all share is the prompt, the rest is
        scored.

        Returns:
            ids of the prompt, ids of each continuation (none empty).
        """
        pieces = merged([pieces] if isinstance(pieces, str) else pieces)
        whole = [self.encode([*pieces, choice], bos=bos) for choice in choices]
        alone = self.encode(pieces, bos=bos)
        shared = min(_common(alone, ids) for ids in whole)
        shared = min(shared, *(len(ids) - 1 for ids in whole))
        return alone[:shared], [ids[shared:] for ids in whole]

    def _check(self, length: int, images: int, room: int) -> None:
        if length + room <= self.limit:
            return
        block = self.num_patches + 2
        fit = max((self.limit - room - (length - images * block)) // block, 0)
        advice = f"At most {fit} images fit beside this text." if images else "Shorten the text."
        raise SampleError(
            f"The prompt has {length} tokens ({images} images of {block} each) and needs {room} for the "
            f"answer; the model's limit is {self.limit}.",
            advice,
        )

    def pad_left(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """One batch of prompts that end together.

        Returns:
            input_ids and attention_mask, both (batch, longest), long.
        """
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self.tokens.pad)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for index, row in enumerate(rows):
            ids[index, longest - len(row) :] = torch.tensor(row)
            mask[index, longest - len(row) :] = 1
        return ids, mask

    def pixels(self, images: Sequence[Image.Image]) -> Tensor:
        """(n, 3, side, side) for `encode_images`."""
        return torch.stack([self.images(image) for image in images])

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids: structure dropped, everything after the first `</s>` too."""
        ids = list(ids)
        if self.tokens.eos in ids:
            ids = ids[: ids.index(self.tokens.eos)]
        return self.tokenizer.decode(ids, skip_special=True)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write tokenizer and image preprocessing beside the model's files."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(folder)
        text = json.dumps(self.images.to_config(), indent=2)
        (folder / "preprocessor_config.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> DreamLLMProcessor:
        """Of a checkpoint folder in either layout.

        Raises:
            CheckpointError: tokenizer or configuration is missing.
        """
        from evalsuite.dreamllm.checkpoint import load_config

        folder = Path(folder)
        config = load_config(folder)
        tokenizer = load_tokenizer(folder)
        side: Any = config.vision_config.image_size
        return cls(
            tokenizer,
            _find_preprocessor(folder, int(side)),
            config.tokens,
            config.num_patches,
            config.num_dream_queries,
            config.sequence_limit,
        )


def _find_preprocessor(folder: Path, side: int) -> ImagePreprocessor:
    """The folder's own `preprocessor_config.json`, else the vision tower's, else CLIP's at the tower's
    size."""
    from evalsuite.dreamllm.checkpoint import vision_folder

    for place in (folder, vision_folder(folder)):
        if place is not None and (place / "preprocessor_config.json").is_file():
            found = ImagePreprocessor.from_config(read_json(place / "preprocessor_config.json"))
            if found.crop != side:
                raise CheckpointError(
                    f"{place / 'preprocessor_config.json'} crops to {found.crop} pixels, "
                    f"the vision tower takes {side}.",
                    "The folder mixes files of different models.",
                )
            return found
    return ImagePreprocessor(size=side, crop=side)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))
