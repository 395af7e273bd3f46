"""Training documents, and packing many of them into few rows.

A document is a prefix and branches that all follow it and do not see each other: twelve questions about
one image
cost the image once, and each is learnt exactly as if it stood alone. Packed rows hold several documents
that do not see each other either; positions count from the beginning of each document.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch

from ...dreamllm.configuration import SpecialTokens
from ...dreamllm.conversation import VICUNA_WITHOUT_SYSTEM, Template
from ...dreamllm.tokenization import FastTokenizer
from ...dreamllm.training import IGNORED

SHORT = VICUNA_WITHOUT_SYSTEM
"""What the miniature is asked in; half of its training conversations have the system text as well."""


@dataclass(frozen=True)
class CachedImage:
    """A cached image: name of the cache and row."""

    cache: str
    row: int


@dataclass(frozen=True)
class Drawing:
    """A image to be drawn, and the canonical caption of what it shows ("" for the empty prompt)."""

    image: CachedImage
    caption: str


@dataclass
class Document:
    """Ids of a prefix, branches of (ids, labels), and the images read and drawn, in reading order."""

    prefix: list[int]
    branches: list[tuple[list[int], list[int]]]
    read: list[CachedImage] = field(default_factory=list)
    drawn: list[Drawing] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.prefix) + sum(len(ids) for ids, _ in self.branches)


class Writer:
    """Spells out documents in ids."""

    def __init__(self, tokenizer: FastTokenizer, tokens: SpecialTokens, patches: int, queries: int) -> None:
        self.tokens = tokens
        self.image = [tokens.image_start, *[tokens.image_patch] * patches, tokens.image_end]
        self.dream = [tokens.dream_start, *[tokens.image_patch] * queries, tokens.dream_end]
        self.encode = lru_cache(200_000)(lambda text: tuple(tokenizer.encode(text)))

    def ids(self, text: str) -> list[int]:
        """Ids of plain text."""
        return list(self.encode(text))

    def chat(
        self, image: CachedImage | None, context: str, turns: Sequence[tuple[str, str]], template: Template
    ) -> Document:
        """Questions that share a image (or a text that stands for it), each a conversation of its own."""
        lead = "" if template.system is None else template.lead + template.system + template.after_system
        prefix = [self.tokens.bos]
        if image is not None:
            prefix += [*self.ids(lead + template.before_user), *self.image]
            context = ""
        else:
            prefix += self.ids(lead + template.before_user + context)
        branches = []
        for question, answer in turns:
            asked = self.ids(question + template.before_answer)
            said = [*self.ids(answer), self.tokens.eos]
            branches.append(([*asked, *said], [IGNORED] * len(asked) + said))
        return Document(prefix, branches, [image] if image is not None else [])

    def drill(self, image: CachedImage | None, context: str, turns: Sequence[tuple[str, str]]) -> Document:
        """Terse questions one after the other about a image (or a text): only the answers are learnt."""
        lead = self.ids(SHORT.before_user + (context if image is None else ""))
        prefix = [self.tokens.bos, *lead, *(self.image if image is not None else [])]
        return Document(prefix, [self._terse(turns)], [image] if image is not None else [])

    def lists(self, blocks: Sequence[Sequence[tuple[str, str]]]) -> Document:
        """Blocks of terse questions, each block on its own and without an image: only answers are learnt."""
        prefix = [self.tokens.bos, *self.ids(SHORT.before_user)]
        return Document(prefix, [self._terse(turns) for turns in blocks])

    def _terse(self, turns: Sequence[tuple[str, str]]) -> tuple[list[int], list[int]]:
        ids: list[int] = []
        labels: list[int] = []
        for question, answer in turns:
            asked, said = self.ids(question + "?"), self.ids(answer)
            ids += [*asked, *said]
            labels += [*[IGNORED] * len(asked), *said]
        return ids, labels

    def captions(self, image: CachedImage, texts: Sequence[str]) -> Document:
        """A image followed by captions: the pair "image -> text"."""
        start = [self.tokens.bos, *self.image[:-1]]
        end = self.image[-1]
        branches = []
        for text in texts:
            said = [*self.ids(text), self.tokens.eos]
            branches.append(([end, *said], [IGNORED, *said]))
        return Document(start, branches, [image])

    def draw(self, prompt: str, drawing: Drawing) -> Document:
        """A text followed by a dream block: the pair "text -> image", without text loss."""
        ids = [self.tokens.bos, *self.ids(prompt), *self.dream, self.tokens.eos]
        return Document([], [(ids, [IGNORED] * len(ids))], [], [drawing])

    def edit(self, source: CachedImage, instructions: Sequence[tuple[str, Drawing]]) -> Document:
        """A image, then instructions that do not see each other, each with its dream block."""
        prefix = [self.tokens.bos, *self.image]
        branches = []
        for instruction, _ in instructions:
            ids = [*self.ids(instruction), *self.dream, self.tokens.eos]
            branches.append((ids, [IGNORED] * len(ids)))
        return Document(prefix, branches, [source], [drawing for _, drawing in instructions])

    def story(
        self, parts: Sequence[tuple[str, Drawing]], *, read: bool = True, draw: bool = True
    ) -> Document:
        """Text, dream block, image block, text, ...: text and `<dream_start>` are learnt.

        Args:
            read: with the image blocks (off: the creation-only ablation).
            draw: with the dream blocks (off: the comprehension-only ablation).
        """
        ids, labels = [self.tokens.bos], [IGNORED]
        for text, _ in parts:
            said = self.ids(text)
            ids += said
            labels += said
            if draw:
                ids += self.dream
                labels += [self.tokens.dream_start, *[IGNORED] * (len(self.dream) - 1)]
            if read:
                ids += self.image
                labels += [IGNORED] * len(self.image)
        ids.append(self.tokens.eos)
        labels.append(self.tokens.eos)
        drawings = [drawing for _, drawing in parts]
        return Document(
            [], [(ids, labels)], [d.image for d in drawings] if read else [], drawings if draw else []
        )

    def plain(self, text: str) -> Document:
        """A text on its own, every word learnt."""
        ids = [self.tokens.bos, *self.ids(text), self.tokens.eos]
        return Document([], [(ids, [IGNORED, *ids[1:]])])


@dataclass(frozen=True)
class Packed:
    """Tensors of one batch: ids and labels (rows, length), additive mask (rows, 1, length, length),
    positions."""

    input_ids: torch.Tensor
    labels: torch.Tensor
    attention_mask: torch.Tensor
    position_ids: torch.Tensor
    read: list[CachedImage]
    drawn: list[Drawing]


def pack(documents: Sequence[Document], length: int, pad: int) -> Packed:
    """Put documents, in order, into as many rows of at most `length` ids as they need (a longer one gets
    its own)."""
    rows: list[list[Document]] = [[]]
    used = 0
    for document in documents:
        if rows[-1] and used + len(document) > length:
            rows.append([])
            used = 0
        rows[-1].append(document)
        used += len(document)
    width = max(sum(map(len, row)) for row in rows)
    ids = torch.full((len(rows), width), pad)
    labels = torch.full((len(rows), width), IGNORED)
    positions = torch.zeros((len(rows), width), dtype=torch.long)
    owner = torch.full((len(rows), width), -1)
    branch = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        at = 0
        for number, document in enumerate(row):
            parts = [(document.prefix, [IGNORED] * len(document.prefix)), *document.branches]
            for which, (part, targets) in enumerate(parts):
                end = at + len(part)
                first = len(document.prefix) if which else 0
                ids[index, at:end] = torch.tensor(part, dtype=torch.long)
                labels[index, at:end] = torch.tensor(targets, dtype=torch.long)
                positions[index, at:end] = torch.arange(first, first + len(part))
                owner[index, at:end] = number
                branch[index, at:end] = which
                at = end
    same = owner[:, :, None] == owner[:, None, :]
    visible = (branch[:, None, :] == 0) | (branch[:, :, None] == branch[:, None, :])
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    allowed = same & visible & causal
    # In bfloat16, so that under autocast the attention scores are not widened to float32.
    mask = torch.zeros(allowed.shape, dtype=torch.bfloat16).masked_fill(~allowed, -1e30)[:, None]
    read = [image for document in documents for image in document.read]
    drawn = [drawing for document in documents for drawing in document.drawn]
    return Packed(ids, labels, mask, positions, read, drawn)
