"""BLEU, ROUGE-L and CIDEr-D of captions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from evalsuite.errors import SampleError
from evalsuite.metrics.captions import score_captions
from evalsuite.torchmetrics.gathered import Gathered, Indices, order, positions, require


class CaptionMetrics(Gathered):
    """The table of COCO's caption evaluation: `evalsuite.metrics.captions.score_captions(…).summary()`.

    Captions are kept until `compute`, because CIDEr-D weighs words by all references of the set.

    Args:
        tokenize: False for captions that the PTB tokenizer has seen already.
        settings: of `torchmetrics.Metric`.

    >>> metric = CaptionMetrics()
    >>> metric.update(["a cat", "two dogs run"], [["A cat."], ["Two dogs."]])
    >>> round(metric.compute()["Bleu_1"].item(), 6)
    0.8
    """

    higher_is_better = True

    def __init__(self, tokenize: bool = True, **settings: Any) -> None:
        super().__init__(**settings)
        self.tokenize = tokenize
        self._add("texts", torch.uint8)
        self._add("lengths", torch.int64)
        self._add("places", torch.int64)

    def update(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]], indices: Indices = None
    ) -> None:
        """Adds images.

        Args:
            predictions: a caption per image.
            references: the captions of each image, at least one.
            indices: positions of the images in the data set.

        Raises:
            SampleError: not one list of references per prediction, or an empty one.
        """
        if len(predictions) != len(references) or not all(references):
            raise SampleError(
                f"{len(predictions)} captions came with {len(references)} lists of references, or one of the "
                "lists is empty."
            )
        places = positions(indices, len(predictions))
        # Texts travel between processes as bytes; JSON in ASCII keeps every character, lone halves too.
        encoded = [
            json.dumps([said, *true]).encode() for said, true in zip(predictions, references, strict=True)
        ]
        self._append("texts", list(b"".join(encoded)))
        self._append("lengths", [len(one) for one in encoded])
        self._append("places", places)

    def compute(self) -> Any:
        """`Bleu_1` … `Bleu_4`, `ROUGE_L` in [0, 1], `CIDEr` in [0, 10], each float64.

        Raises SampleError before the first update.
        """
        return {
            name: torch.tensor(value, dtype=torch.float64, device=self.device)
            for name, value in self._summary().items()
        }

    def _summary(self) -> dict[str, float]:
        data, at = self._all("texts").numpy().tobytes(), 0
        rows = []
        for length in self._all("lengths").tolist():
            rows.append(json.loads(data[at : at + length]))
            at += length
        chosen = [rows[row] for row in order(self._all("places"))]
        require(chosen, type(self).__name__)
        predictions, references = [row[0] for row in chosen], [row[1:] for row in chosen]
        return score_captions(predictions, references, tokenize=self.tokenize).summary()


class _One(CaptionMetrics):
    """One number of the table, as a scalar that can be logged."""

    _name = ""

    def compute(self) -> Tensor:
        """The number, float64. Raises SampleError before the first update."""
        return torch.tensor(self._summary()[self._name], dtype=torch.float64, device=self.device)


class CIDEr(_One):
    """CIDEr-D in [0, 10]; arguments as `CaptionMetrics`."""

    _name = "CIDEr"


class ROUGEL(_One):
    """ROUGE-L in [0, 1]; arguments as `CaptionMetrics`."""

    _name = "ROUGE_L"


class BLEU(_One):
    """Corpus BLEU in [0, 1], as COCO's evaluation computes it.

    Args:
        order: longest n-gram, 1 to 4.
        tokenize, settings: as `CaptionMetrics`.

    Raises:
        SampleError: another order.
    """

    def __init__(self, order: int = 4, tokenize: bool = True, **settings: Any) -> None:
        super().__init__(tokenize, **settings)
        if order not in (1, 2, 3, 4):
            raise SampleError(f"BLEU-{order} is not computed.", "Choose 1 to 4.")
        self._name = f"Bleu_{order}"
