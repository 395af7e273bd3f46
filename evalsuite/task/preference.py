"""Preference and alignment models as columns of any benchmark whose answers are images.

The option `preference=HPSv2.1,ImageReward` of a task adds a column for each: the mean over a sample's images,
each scored with the text that the model was given. All models look at an image that is decoded once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SampleError, SpecError, UnavailableError, suggest
from evalsuite.options import Option
from evalsuite.request import ImageResponse
from evalsuite.task.types import Answered, Breakdown, Metric, SampleScore, Scores, mean_statistics

if TYPE_CHECKING:
    from evalsuite.content import Image
    from evalsuite.features import NetworkSpec

_log = logging.getLogger(__name__)
PREFERENCE = Option("preference", "columns of preference and alignment models to add: NAME,NAME")
PREFERENCE_WEIGHTS = Option("preference-weights", "their folders where they are elsewhere: NAME=FOLDER,…")
OPTIONS = (PREFERENCE, PREFERENCE_WEIGHTS)


@dataclass(frozen=True, slots=True)
class Preference:
    """A model that can be a column.

    Args:
        kind, source, preprocess: see `evalsuite.features.NetworkSpec`.
        digits: of its values in tables.
        exceeds_one: its values are no shares.
    """

    kind: str
    source: str
    preprocess: str
    digits: int
    exceeds_one: bool = True


PREFERENCES: Mapping[str, Preference] = MappingProxyType(
    {
        "HPSv2.1": Preference("hpsv2", "hps-v2.1", "hps", 2),
        "HPSv2": Preference("hpsv2", "hps-v2", "hps", 2),
        "HPSv2.1 without antialias": Preference("hpsv2", "hps-v2.1", "hps-without-antialias", 2),
        "HPSv2 without antialias": Preference("hpsv2", "hps-v2", "hps-without-antialias", 2),
        "HPSv3": Preference("hpsv3", "hps-v3", "qwen2-vl", 2),
        "PickScore": Preference("pickscore", "yuvalkirstain/PickScore_v1", "transformers", 2),
        "ImageReward": Preference("image-reward", "image-reward-v1.0", "openai", 3),
        "Aesthetic": Preference("aesthetic", "openai/clip-vit-large-patch14", "openai", 2),
        "VQAScore": Preference("vqascore", "zhiqiulin/clip-flant5-xxl", "padded", 3, exceeds_one=False),
        "BLIP-VQA": Preference("blip-vqa", "blip-vqa-capfilt-large", "openai", 3, exceeds_one=False),
    }
)
"""Columns by name. Sources that are no hub id are folders that `evalsuite weights convert` wrote."""


def check_preferences(options: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The columns that a task's options ask for. Raises SpecError for an unknown one, and for weights of a
    column that is not asked for."""
    wanted = _listed(options.get(PREFERENCE.name, ""))
    for column in wanted:
        if column not in PREFERENCES:
            raise SpecError(f"{name}: there is no preference model {column!r}.", suggest(column, PREFERENCES))
    for column in _folders(options, name):
        if column not in wanted:
            raise SpecError(
                f"{name}: option {PREFERENCE_WEIGHTS.name} names {column!r}, which is not asked for.",
                f"Add it: preference={','.join((*wanted, column))}.",
            )
    return tuple(dict.fromkeys(wanted))


def preferred(task: Any, answered: Iterable[Answered], scores: Scores) -> Scores:
    """A task's scores with the columns that its options ask for; see `with_preferences`."""
    plan = getattr(task, "plan", None)
    options: Mapping[str, str] = getattr(plan, "options", {})
    if plan is None or PREFERENCE.name not in options:
        return scores
    made = plan.benchmark
    return with_preferences(
        answered, scores, options, name=made.name, text=lambda one: prompt_of(task, one), by=made.by
    )


def own_values(row: SampleScore, options: Mapping[str, str]) -> set[str]:
    """The columns of a row that the benchmark itself computed."""
    return row.values.keys() - set(_listed(options.get(PREFERENCE.name, "")))


def with_preferences(
    answered: Iterable[Answered],
    scores: Scores,
    options: Mapping[str, str],
    *,
    name: str,
    text: Callable[[Answered], str],
    by: Sequence[Breakdown] = (),
) -> Scores:
    """A benchmark's scores with the columns that the options ask for.

    A model whose weights are not here is a column that is missing, with the reason. A sample that failed has
    no value.

    Args:
        answered: in the order of the scores' rows.
        name: of the benchmark, for messages.
        text: what a sample's images are scored with.
        by: what the columns are broken down by.
    """
    wanted = check_preferences(options, name)
    if not wanted:
        return scores
    from evalsuite.features import load_scorer, require_weights
    from evalsuite.features.extraction import image_features
    from evalsuite.task.networks import refusals_note

    folders = _folders(options, name)
    specs: dict[str, NetworkSpec] = {}
    missing = dict(scores.missing)
    for column in wanted:
        spec = _spec(column, folders.get(column, ""))
        try:
            require_weights(spec)
        except UnavailableError as error:
            missing[column] = str(error)
            _log.warning("%s: %s is left out. %s", name, column, error)
            continue
        specs[column] = spec
    if not specs:
        return replace(scores, missing=missing)
    device = options.get("device", "auto")
    networks = {column: load_scorer(spec, device) for column, spec in specs.items()}
    images: list[Image] = []
    texts: list[str] = []
    places: list[range] = []
    for one, row in zip(answered, scores.rows, strict=True):
        its = [] if row.failure else _images(one)
        places.append(range(len(images), len(images) + len(its)))
        images += its
        texts += [text(one)] * len(its)
    found, state = image_features(networks, images, texts)
    rows = []
    lacking: dict[str, list[str]] = {}
    for row, place in zip(scores.rows, places, strict=True):
        more: dict[str, float] = {}
        for column in specs:
            values = found[column][place.start : place.stop, 0]
            if len(values) and not (values != values).any():
                more[column] = float(values.mean(dtype="float64"))
            elif reason := next(filter(None, map(state.refused.get(column, {}).get, place)), ""):
                lacking.setdefault(column, []).append(reason)
        rows.append(replace(row, values={**row.values, **more}) if more else row)
    notes = {column: refusals_note(reasons, len(rows)) for column, reasons in lacking.items()}
    statistics = list(scores.statistics)
    details: dict[str, Any] = dict(scores.details)
    for column, spec in specs.items():
        how = PREFERENCES[column]
        metric = Metric(column, exceeds_one=how.exceeds_one, digits=how.digits)
        statistics += mean_statistics(metric, rows, by=by)
        details[column] = {
            "source": spec.source,
            "preprocess": spec.preprocess,
            "dtype": networks[column].dtype,
            "sha256": networks[column].fingerprint,
        }
    return replace(
        scores, rows=rows, statistics=statistics, missing=missing, details=details,
        notes={**scores.notes, **notes},
    )  # fmt: skip


def prompt_of(task: Any, one: Answered) -> str:
    """What the model was given as text to make a sample's first images. Raises SampleError where nothing."""
    request = task.request(one.sample, ())
    if request is None:
        raise SampleError("the task asks nothing about this sample")
    return "".join(message.text for message in request.messages if message.role == "user")


def _images(one: Answered) -> list[Image]:
    several = [response.images for response in one.responses if isinstance(response, ImageResponse)]
    return [image for images in several for image in images]


def _spec(column: str, folder: str) -> NetworkSpec:
    from evalsuite.features import NetworkSpec
    from evalsuite.features.weights import weights_folder

    how = PREFERENCES[column]
    source = folder or how.source
    if not folder and "/" not in how.source:
        source = str(weights_folder() / how.source)
    return NetworkSpec(how.kind, source, how.preprocess, column)


def _folders(options: Mapping[str, str], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in _listed(options.get(PREFERENCE_WEIGHTS.name, "")):
        column, equals, folder = item.partition("=")
        if column not in PREFERENCES or not equals or not folder:
            raise SpecError(
                f"{name}: option {PREFERENCE_WEIGHTS.name}={item!r} is not NAME=FOLDER.",
                f"Names: {', '.join(PREFERENCES)}.",
            )
        found[column] = folder
    return found


def _listed(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]
