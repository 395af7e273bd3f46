"""VQA accuracy and POPE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from evalsuite.errors import SampleError, SpecError, suggest
from evalsuite.metrics.pope import pope_report, yes_or_no
from evalsuite.metrics.vqa import VQA_RULES, vqa_accuracy
from evalsuite.torchmetrics.gathered import Gathered, Indices, order, positions, require

_REPORT = ("accuracy", "precision", "recall", "f1", "yes_ratio")


class VQAAccuracy(Gathered):
    """Mean accuracy of short answers against human answers, in [0, 1]: `evalsuite.metrics.vqa.vqa_accuracy`.

    Args:
        rule: a name in `VQA_RULES`: official, m4c, vizwiz, lmms-eval …
        settings: of `torchmetrics.Metric`.

    Raises:
        SpecError: unknown rule.

    >>> metric = VQAAccuracy()
    >>> metric.update(["Two dogs", "no"], [["2 dogs"] * 2 + ["dogs"] * 8, ["no"] * 10])
    >>> round(metric.compute().item(), 6)
    0.8
    """

    higher_is_better = True

    def __init__(self, rule: str = "official", **settings: Any) -> None:
        super().__init__(**settings)
        if rule not in VQA_RULES:
            raise SpecError(f"There is no VQA scoring rule {rule!r}.", suggest(rule, VQA_RULES))
        self.rule = rule
        self._add("values", torch.float64)
        self._add("places", torch.int64)

    def update(
        self, predictions: Sequence[str], answers: Sequence[Sequence[str]], indices: Indices = None
    ) -> None:
        """Adds samples.

        Args:
            predictions: an answer per sample.
            answers: the human answers of each.
            indices: positions of the samples in the data set.

        Raises:
            SampleError: not one list of human answers per prediction, or what `vqa_accuracy` refuses.
        """
        if len(predictions) != len(answers):
            raise SampleError(f"{len(predictions)} predictions came with {len(answers)} lists of answers.")
        places = positions(indices, len(predictions))
        pairs = zip(predictions, answers, strict=True)
        self._append("values", [vqa_accuracy(said, list(true), self.rule) for said, true in pairs])
        self._append("places", places)

    def compute(self) -> Tensor:
        """The mean, float64. Raises SampleError before the first update."""
        values = self._all("values").tolist()
        chosen = [values[row] for row in order(self._all("places"))]
        require(chosen, "VQAAccuracy")
        return torch.tensor(sum(chosen) / len(chosen), dtype=torch.float64, device=self.device)


class POPE(Gathered):
    """Yes/no answers: accuracy, precision, recall, F1 or yes-ratio in [0, 1], `evalsuite.metrics.pope`.

    Args:
        value: accuracy, precision, recall, f1 or yes_ratio.
        rule: how answers are read: official, lmms-eval, vlmevalkit, mme, mme-lmms.
        settings: of `torchmetrics.Metric`.

    Raises:
        SpecError: unknown value or rule.

    >>> metric = POPE("f1")
    >>> metric.update(["Yes.", "No", "yes"], [True, False, False])
    >>> round(metric.compute().item(), 6)
    0.666667
    """

    higher_is_better = True

    def __init__(self, value: str = "accuracy", rule: str = "official", **settings: Any) -> None:
        super().__init__(**settings)
        if value not in _REPORT:
            raise SpecError(f"POPE has no value {value!r}.", suggest(value, _REPORT))
        yes_or_no("", rule)  # an unknown rule is an error now
        self.value, self.rule = value, rule
        self._add("picks", torch.int64)
        self._add("labels", torch.int64)
        self._add("places", torch.int64)

    def update(
        self, answers: Sequence[str], labels: Sequence[bool] | Tensor, indices: Indices = None
    ) -> None:
        """Adds samples: an answer, the label (True: yes) and the position of each.

        Raises SampleError where they are not as many.
        """
        if len(answers) != len(labels):
            raise SampleError(f"{len(answers)} answers came with {len(labels)} labels.")
        places = positions(indices, len(answers))
        picks = [yes_or_no(answer, self.rule) for answer in answers]
        self._append("picks", [-1 if pick is None else int(pick) for pick in picks])
        self._append("labels", [int(label) for label in labels])
        self._append("places", places)

    def compute(self) -> Tensor:
        """The value, float64. Raises SampleError before the first update."""
        rows = order(self._all("places"))
        labels, picks = self._all("labels")[rows].bool().numpy(), self._all("picks")[rows].numpy()
        report = pope_report(labels, picks, self.rule)
        return torch.tensor(getattr(report, self.value), dtype=torch.float64, device=self.device)
