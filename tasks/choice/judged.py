"""A judge for the answers that the rule cannot read, as MMBench's own tool chain asks one.

Where that tool draws a random letter after three replies that cannot be read, ours is undecided, which is
wrong, and the score table counts it (`undecided`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

from evalsuite.content import user
from evalsuite.errors import EvalsuiteError, SampleError
from evalsuite.task import (
    Answered,
    Judgement,
    SampleScore,
    Scores,
    postprocess,
    row_of,
    text_of,
)
from evalsuite.task.judged import Chat, unjudged

from .family import ChoiceTask

_TRIES = 3
_CHINESE = re.compile("[\u4e00-\u9fff]")


class JudgedChoiceTask(ChoiceTask):
    """Rules first; a judge reads what they leave open: the first rotation in any case (for `vanilla`), each
    further one while no rotation is wrong (for `circular`)."""

    @property
    def judge(self) -> str:
        """The default of VLMEvalKit's `run.py` for multiple choice."""
        return "gpt-3.5-turbo-0125"

    def question(self, answered: Answered, said: Sequence[Judgement]) -> Chat | None:
        answers, picks = self._decided(answered)
        _, _, place = self._judged(answered, answers, picks, said)
        if place is None:
            return None
        asked = answered.sample.record
        given = answered.responses[1::2] if self._settings.gate else answered.responses
        options = "".join(f"{letter}. {text}\n" for letter, text in asked.rotations[place].options.items())
        wording = _wording()["chinese" if _CHINESE.search(asked.question) else "english"]
        answer = postprocess(text_of(given[place]), self.plan.protocol.postprocess)
        text = wording.format(asked.question, f"There are several options: \n{options}", answer)
        return Chat((user(text),), max_tokens=2048, temperature=0.0)

    def prepared(self, answered: Answered, chat: Chat) -> Chat:
        return chat

    def score(self, answered: Iterable[Answered]) -> Scores:
        rows: list[SampleScore] = []
        runs = waiting = 0
        for one in answered:
            runs = max(runs, len(one.judgements))
            row, complete = self._judged_row(one)
            waiting += not complete
            rows.append(row)
        if waiting and not runs:
            bare = [SampleScore(row.id, cluster=row.cluster, labels=row.labels) for row in rows]
            reason = f"{unjudged(self)} ({waiting} questions need one)"
            return Scores(bare, (), {spec.name: reason for spec in self._across})
        return self.scores(rows, self._across, details={"runs of the judge": runs} if runs else {})

    def _judged_row(self, one: Answered) -> tuple[SampleScore, bool]:
        """The row, and whether nothing more is to be asked of a judge."""
        row = row_of(one)
        try:
            answers, decided = self._decided(one)
            runs: list[dict[str, float]] = []
            for said in one.judgements or ((),):
                for judgement in said:
                    if judgement.failure:
                        raise SampleError(f"the judge gave nothing: {judgement.failure}")
                picks, undecided, place = self._judged(one, answers, decided, said)
                if place is not None:
                    return row(), False  # not asked to the end: no failure
                hits = self._hits(one.sample, answers, picks)
                runs.append(hits | {"undecided": float(undecided)})
        except EvalsuiteError as error:
            return row(failure=str(error)), True
        values = {name: sum(run[name] for run in runs) / len(runs) for name in runs[0]}
        parsed = " ".join(pick or "?" for pick in picks)
        return row(values=values, parsed=parsed, unread=values["undecided"] > 0), True

    def _judged(
        self, one: Answered, answers: list[str], decided: list[str | None], said: Sequence[Judgement]
    ) -> tuple[list[str | None], int, int | None]:
        """Picks with what the judge made of the open ones, how many it could not read, and the rotation to
        ask about next (None: no more)."""
        picks, replies, undecided = list(decided), iter(said), 0
        lost = any(pick is not None and pick != answer for pick, answer in zip(picks, answers, strict=True))
        for place, rotation in enumerate(self._asked(one.sample.record)):
            if picks[place] is not None or (lost and place):
                continue
            for _ in range(_TRIES):
                reply = next(replies, None)
                if reply is None:
                    return picks, undecided, place
                picks[place] = self._read_letter(reply.text, rotation, one.sample)
                if picks[place] is not None:
                    break
            else:
                undecided += 1
            lost = lost or picks[place] != answers[place]
        return picks, undecided, None


@cache
def _wording() -> dict[str, str]:
    """The official prompts; their source and licence stand in the file."""
    text = resources.files(__package__).joinpath("vlmevalkit-judge.json").read_text(encoding="utf-8")
    wording: dict[str, str] = json.loads(text)
    return wording
