"""Reads the files of votes that raters send back, and says what in them does not fit the study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.data.jsonfile import field as cell
from evalsuite.data.jsonfile import read_json
from evalsuite.errors import DataError
from evalsuite.study.key import Key


@dataclass(frozen=True)
class Ballots:
    """The votes that count.

    Args:
        votes: rater -> item -> answer.
        notes: what was left out or looks odd, one line each: for the record and for whoever runs the study.
    """

    votes: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...] = ()

    def of(self, item: str) -> list[str]:
        """All answers to an item, by rater in the order of their names."""
        return [given[item] for _, given in sorted(self.votes.items()) if item in given]


@dataclass
class _Reading:
    votes: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    odd: Counter[str] = field(default_factory=Counter)


def read_votes(key: Key, paths: Iterable[Path]) -> Ballots:
    """The votes of all files.

    Several files of one rater are put together; where they answer an item twice, the later answer counts.
    Items that the study does not have and answers that the question does not allow are left out; both are
    named in `notes`, as are raters who did not answer everything.

    Raises:
        DataError: a file is no file of votes, or of another study; there is no vote at all.
    """
    reading = _Reading()
    items = {item.id for item in key.items}
    for path in paths:
        _read(path, key, items, reading)
    votes = {
        rater: {item: answer for item, (_, answer) in given.items()}
        for rater, given in sorted(reading.votes.items())
    }
    if not any(votes.values()):
        raise DataError("The files hold no vote.", "Ask raters to answer before they download.")
    notes = [f"{count} {what}" for what, count in sorted(reading.odd.items())]
    for rater, given in votes.items():
        if len(given) < len(items):
            notes.append(f"{rater} answered {len(given)} of {len(items)} items")
    return Ballots(votes, tuple(notes))


def _read(path: Path, key: Key, items: set[str], reading: _Reading) -> None:
    data: Any = read_json(path)
    where = str(path)
    study, rater = cell(data, "study", str, where), cell(data, "rater", str, where).strip()
    if study != key.study:
        raise DataError(
            f"{path} belongs to the study {study}, this one is {key.study}.", "Name the folder of its study."
        )
    if not rater:
        raise DataError(f"{path} names no rater.", "Write a name into its field `rater`.")
    given = reading.votes.setdefault(rater, {})
    for number, row in enumerate(cell(data, "votes", list, where), start=1):
        at = f"{path}, vote {number}"
        item, answer = cell(row, "item", str, at), cell(row, "answer", str, at)
        moment = str(row.get("at", ""))
        if item not in items:
            reading.odd[f"votes on unknown items left out ({path.name})"] += 1
        elif answer not in key.answers:
            reading.odd[f"votes with unknown answers left out ({path.name})"] += 1
        elif item in given:
            same = given[item][1] == answer
            reading.odd[
                f"votes given twice by {rater}, {'the same' if same else 'the later one counts'}"
            ] += 1
            if moment >= given[item][0]:  # of votes without a time, the one that was read later
                given[item] = (moment, answer)
        else:
            given[item] = (moment, answer)
