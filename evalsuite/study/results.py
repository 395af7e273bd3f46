"""What the votes of a study say: shares with intervals, over all and by topic, and agreement of raters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.metrics.agreement import fleiss_kappa, krippendorff_alpha
from evalsuite.stats import estimate
from evalsuite.study.key import LEFT, RIGHT, Item, Key
from evalsuite.study.votes import Ballots
from evalsuite.task import Metric, SampleScore, Scores, mean_statistics


@dataclass(frozen=True, slots=True)
class Share:
    """A share of votes in [0, 1] with its interval at 95 %.

    Args:
        source: whose share: `rate`: of votes with the first answer; `compare`: of votes for it against
            `other`, a vote for neither counting half to each.
        other: in `compare`, the source that it was shown beside; empty in `rate`.
        topic: empty over all.
        votes, items: how many of each it is over.
        for_it, against, neither: counts of votes; `neither` is of `compare` only.
        method: how the interval came about.
    """

    source: str
    other: str
    topic: str
    value: float
    low: float
    high: float
    votes: int
    items: int
    for_it: int
    against: int
    neither: int
    method: str

    def passes(self, bar: float) -> bool | None:
        """Whether the share is above a bar by more than chance: None where the interval holds the bar."""
        return True if self.low > bar else False if self.high < bar else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far raters agree beyond chance.

    Args:
        raters: with at least one vote.
        fleiss: Fleiss' kappa over the items that all raters answered; NaN where it is not defined.
        complete: how many items those are.
        alpha: Krippendorff's alpha (nominal) over all items with two votes or more; NaN likewise.
        shared: how many items those are.
    """

    raters: int
    fleiss: float
    complete: int
    alpha: float
    shared: int


@dataclass(frozen=True, slots=True)
class Results:
    """All of it; `notes` are those of the reading."""

    key: Key
    shares: tuple[Share, ...]
    agreement: Agreement
    notes: tuple[str, ...]


def analyse(key: Key, ballots: Ballots, *, resamples: int = 2000, seed: int = 0) -> Results:
    """Shares, intervals and agreement.

    Intervals take documents as what was drawn at random: where several raters judged the same ones, whole
    documents (with all their votes) are resampled; with one vote per document the interval is Clopper and
    Pearson's where answers are two.
    """
    shares: list[Share] = []
    for group in _groups(key):
        rows = [row for item in key.items for row in _rows(key, item, group, ballots)]
        if rows:
            shares += _shares(group, rows, resamples, seed)
    return Results(key, tuple(shares), _agreement(key, ballots), ballots.notes)


def _groups(key: Key) -> list[tuple[str, ...]]:
    """The groups compared: sources in `rate`, pairs in `compare`, in the order of the key's sources."""
    order = [source.name for source in key.sources]
    found = {tuple(sorted(item.sources, key=order.index)) for item in key.items}
    return sorted(found, key=lambda group: [order.index(name) for name in group])


def _rows(key: Key, item: Item, group: tuple[str, ...], ballots: Ballots) -> list[SampleScore]:
    if set(item.sources) != set(group):
        return []
    answers = ballots.of(item.id)
    # One vote on a document stands alone; several are one cluster.
    cluster = item.sample if len(answers) > 1 else ""
    labels = {"topic": item.topic} if item.topic else {}
    return [
        SampleScore(
            f"{item.id}-{k}", {"share": _value(key, item, group, answer)}, cluster, labels, parsed=answer
        )
        for k, answer in enumerate(answers)
    ]


def _value(key: Key, item: Item, group: tuple[str, ...], answer: str) -> float:
    if key.mode == "rate":
        return float(answer == key.answers[0])
    if answer not in (LEFT, RIGHT):
        return 0.5
    return float(item.sources[0 if answer == LEFT else 1] == group[0])


def _shares(group: tuple[str, ...], rows: Sequence[SampleScore], resamples: int, seed: int) -> list[Share]:
    statistics = mean_statistics(Metric("share"), rows, by=("topic",))
    found = []
    for statistic, one in zip(
        statistics, estimate(Scores(rows, statistics), resamples=resamples, seed=seed), strict=True
    ):
        counted = [rows[i] for i in statistic.rows]
        values = [row.values["share"] for row in counted]
        found.append(
            Share(
                source=group[0],
                other=group[1] if len(group) > 1 else "",
                topic=statistic.group.removeprefix("topic="),
                value=one.value,
                low=one.low,
                high=one.high,
                votes=len(values),
                items=len({row.id.rsplit("-", 1)[0] for row in counted}),
                for_it=sum(value == 1 for value in values),
                against=sum(value == 0 for value in values),
                neither=sum(value == 0.5 for value in values),
                method=one.method,
            )
        )
    return found


def _agreement(key: Key, ballots: Ballots) -> Agreement:
    raters = sum(bool(given) for given in ballots.votes.values())
    units = [ballots.of(item.id) for item in key.items]
    complete = [unit for unit in units if len(unit) == raters]
    fleiss = float("nan")
    if raters > 1 and complete:
        fleiss = fleiss_kappa([[unit.count(answer) for answer in key.answers] for unit in complete])
    shared = sum(len(unit) > 1 for unit in units)
    return Agreement(raters, fleiss, len(complete), krippendorff_alpha(units), shared)
