"""The rules of puzzles: Uni-MMMU's answers in JSON inside a text, and VSP's routes and times."""

from __future__ import annotations

from evalsuite.errors import SampleError
from evalsuite.metrics.puzzles import jigsaw_choice, jigsaw_choice_lmms, maze_moves, moves_right
from evalsuite.metrics.unig2u import crossing_times, route
from evalsuite.task.rules.types import NOT_READ, UNREAD, GroundTruth, Rule, Verdict, rule


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


@rule()
def vsp_route(answer: str, truth: GroundTruth) -> Verdict:
    """The sums of crossroads to the north and to the east are the right two numbers (lmms-eval's UniG2U,
    VSP's maps)."""
    right = _two_numbers(truth)
    found = route(answer)
    # An answer without any direction stays where it is there, too, and could be right.
    value = float((found or (0, 0)) == right)
    words = NOT_READ if found is None else f"{found[0]} north, {found[1]} east"
    return Verdict(value, words, unread=found is None)


_WITHIN = 1.0
"""Seconds that a time may be off."""


@rule(also=["car", "person"])
def vsp_times(answer: str, truth: GroundTruth) -> Verdict:
    """The times of car and person, each within a second; the score is the share of the two that are right
    (lmms-eval's UniG2U, VSP's collisions)."""
    right = dict(zip(("Car", "Person"), _two_numbers(truth), strict=True))
    found = crossing_times(answer)
    car, person = (
        float(name in found and abs(found[name] - wanted) <= _WITHIN) for name, wanted in right.items()
    )
    words = ", ".join(f"{name} {found[name]:g}" for name in right if name in found) or NOT_READ
    return Verdict((car + person) / 2, words, unread=not found, more={"car": car, "person": person})


def _two_numbers(truth: GroundTruth) -> tuple[float, float]:
    try:
        first, second = map(float, truth.references)
    except ValueError:
        raise SampleError(f"the right answer is {truth.references!r:.80}, not two numbers") from None
    return first, second


RULES: tuple[Rule, ...] = (uni_mmmu_jigsaw, uni_mmmu_jigsaw_lmms, uni_mmmu_moves, vsp_route, vsp_times)
