"""The rules of Uni-MMMU's puzzles: an answer in JSON inside a text."""

from __future__ import annotations

from evalsuite.metrics.puzzles import jigsaw_choice, jigsaw_choice_lmms, maze_moves, moves_right
from evalsuite.task.rules.types import UNREAD, GroundTruth, Rule, Verdict, rule


@rule()
def uni_mmmu_jigsaw(answer: str, truth: GroundTruth) -> Verdict:
    """The choice 0 or 1 in the first <FINAL_ANSWER_JSON> (Uni-MMMU's jigsaw)."""
    choice, _ = jigsaw_choice(answer)
    return UNREAD if choice is None else Verdict(float(str(choice) in truth.references), str(choice))


@rule()
def uni_mmmu_jigsaw_lmms(answer: str, truth: GroundTruth) -> Verdict:
    """The choice in <FINAL_ANSWER_JSON>, else the first digit behind "choice": (lmms-eval's UniG2U)."""
    choice = jigsaw_choice_lmms(answer)
    return UNREAD if choice is None else Verdict(float(str(choice) in truth.references), str(choice))


@rule(also=["exact"])
def uni_mmmu_moves(answer: str, truth: GroundTruth) -> Verdict:
    """The share of the right moves at their place in the last <ANSWER_JSON> (Uni-MMMU's maze, sliding
    tiles)."""
    moves = maze_moves(answer)
    exact, share = moves_right(moves, truth.references)
    return Verdict(share, " ".join(moves), unread=not moves, more={"exact": float(exact)})


RULES: tuple[Rule, ...] = (uni_mmmu_jigsaw, uni_mmmu_jigsaw_lmms, uni_mmmu_moves)
