"""LLM-as-a-judge: a separate step between generation and scoring, for responses that only a model can grade.

    task.question(answered, said)    what the judge said so far -> its next question: pure    protocol.py
       |
    judge_run                        each missing question asked, each reply on disk at once  asking.py
       |
    with_judgements                  stored answers and judgements -> what `score` reads      exchange.py

Scoring needs no network: without judgements the headline is missing, with the command that would make them.
"""

from __future__ import annotations

from evalsuite.judging.exchange import Exchange, Question, with_judgements
from evalsuite.judging.protocol import Judged, NotAskedError, unjudged

__all__ = ["Exchange", "Judged", "NotAskedError", "Question", "unjudged", "with_judgements"]
