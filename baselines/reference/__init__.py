"""Reference rows: chance, majority, question-only and other bounds that put a number into perspective."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from evalsuite.model import Model, ModelEntry, ModelOptions, Option, check_options
from evalsuite.request import Capability

from ..declared import ANSWERS, NEIGHBOURS

GROUP = "reference"

TEXT: frozenset[Capability] = frozenset({"text", "choices"})


def models() -> Iterator[ModelEntry]:
    def row(
        name: str,
        title: str,
        capabilities: frozenset[Capability],
        build: Callable[[ModelOptions], Model],
        *options: Option,
        reads_annotations: bool = False,
    ) -> ModelEntry:
        return ModelEntry(
            name,
            title,
            capabilities,
            partial(_checked, name, build, options),
            group=GROUP,
            reads_annotations=reads_annotations,
            options=options,
        )

    yield row(
        "random",
        "chance: a random answer of the training set, a random option, an image of noise",
        frozenset({"text", "choices", "image", "edit"}),
        _random,
        *ANSWERS,
    )
    yield row("majority", "always the most frequent training answer", TEXT, _majority, *ANSWERS)
    yield row(
        "question-prior",
        "question-only: the most frequent training answer to the same question, never looks at the image",
        TEXT,
        _prior,
        *ANSWERS,
    )
    yield row(
        "nearest-neighbour",
        "nearest neighbour: caption or answer of the most similar training image",
        frozenset({"text"}),
        _neighbour,
        *NEIGHBOURS,
    )
    yield row(
        "retrieval",
        "text-to-image by retrieval: the training image with the nearest caption",
        frozenset({"image"}),
        _retrieval,
        *NEIGHBOURS,
    )
    yield row("copy-source", "editing without editing: returns the source image", frozenset({"edit"}), _copy)
    yield row(
        "oracle",
        "upper bound: human answers from the benchmark's annotations",
        frozenset({"text", "choices", "image", "edit"}),
        _oracle,
        reads_annotations=True,
    )


def _checked(
    name: str, build: Callable[[ModelOptions], Model], known: tuple[Option, ...], options: ModelOptions
) -> Model:
    check_options(known, options.options, f"Model {name!r}")
    return build(options)


def _random(options: ModelOptions) -> Model:
    from .chance import RandomAnswers
    from .training_answers import load

    return RandomAnswers(load(options.options.get("answers", "")))


def _majority(options: ModelOptions) -> Model:
    from .majority import MajorityAnswer
    from .training_answers import load

    return MajorityAnswer(load(options.options.get("answers", "")))


def _prior(options: ModelOptions) -> Model:
    from .prior import QuestionPrior
    from .training_answers import load

    return QuestionPrior(load(options.options.get("answers", "")))


def _neighbour(options: ModelOptions) -> Model:
    from .images import load
    from .neighbours import NearestNeighbour

    return NearestNeighbour(load(options.options))


def _retrieval(options: ModelOptions) -> Model:
    from .images import load
    from .neighbours import Retrieval

    return Retrieval(load(options.options))


def _copy(options: ModelOptions) -> Model:
    from .copying import CopySource

    return CopySource()


def _oracle(options: ModelOptions) -> Model:
    from .oracle import Oracle

    return Oracle()
