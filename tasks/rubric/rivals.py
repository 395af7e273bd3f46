"""Documents of other runs that a judge is shown beside a model's own, each sample beside one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from evalsuite.content import Document
from evalsuite.task.other_run import OtherDocuments

AGAINST = "against"
"""Name of the option."""
RIVAL, SHOWN = "rival", "shown"
"""Labels: the model that wrote the other document; whether the own one is shown as A or as B."""


class Rivals:
    """The runs that a model is compared with.

    Which of them a sample meets, and who is shown first, are bits of a digest of the sample's id: the same in
    every run, each as often as the other. (OpenING's script draws pairs of models for each instance.)

    Args:
        paths: of runs that have one of the benchmarks `tasks`.

    Raises SpecError where one has not.
    """

    def __init__(self, paths: Sequence[Path], tasks: Sequence[str]) -> None:
        self._runs = [OtherDocuments(path, *tasks, option=AGAINST) for path in paths]

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(run.model for run in self._runs)

    def labels(self, sample: str) -> dict[str, str]:
        """Of a sample, by its id."""
        run, side = self._meets(sample)
        return {RIVAL: run.model, SHOWN: side}

    def document(self, sample: str) -> Document:
        """The other document. Raises SampleError where the run that the sample meets has none."""
        return self._meets(sample)[0].of(sample)

    def _meets(self, sample: str) -> tuple[OtherDocuments, str]:
        digest = hashlib.sha256(sample.encode()).digest()
        return self._runs[int.from_bytes(digest[:8]) % len(self._runs)], "AB"[digest[8] % 2]
