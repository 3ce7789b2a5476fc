"""How good is the rest? From the random controls among the decisions, see `evaluation.remainder`.

Controls are drawn from everything that is open. What was chosen by doubt, by score or by time left
the rest afterwards, so of the controls too only those count that such a choice would have left:
otherwise the sample would hold the doubtful ones and the rest would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prismata.catalog import ReviewDecision
from prismata.evaluation.remainder import (
    Remainder,
    Sampled,
    Stratum,
    Unseen,
    estimate_remainder,
)
from prismata.services.review_items import ReviewItem

CANDIDATE_STRATA: tuple[Stratum, ...] = ("shown", "near", "far")
STRATA: tuple[Stratum, ...] = (*CANDIDATE_STRATA, "unseen")
ENOUGH_CONTROLS = 5
"""Of a stratum with fewer controls little more is known than before anybody looked."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What is open, what was looked at, and what is to be expected of the rest."""

    open: dict[Stratum, int]
    controls: dict[Stratum, int]
    """Random ones that the estimate rests on."""
    estimate: Remainder
    advice: str
    """One sentence: go on, and with what, or stop."""


def judge_rest(
    items: Sequence[ReviewItem], decisions: Sequence[ReviewDecision], *, goal: float = 0.9
) -> Rest:
    """Estimate how good the rest is.

    Args:
        items: What is open.
        decisions: What stands about this model's candidates.
        goal: Precision and recall in (0, 1] from which on nobody needs to look further.
    """
    controls = representative(decisions)
    strata: dict[Stratum, Sampled] = {}
    for name in CANDIDATE_STRATA:
        judged = [item for item in controls if item.stratum == name and item.decision != "unsure"]
        true = sum(item.decision in ("accepted", "corrected") for item in judged)
        open_here = sum(item.stratum == name for item in items)
        strata[name] = Sampled(open_here, len(judged), true)
    stretches = [item for item in controls if item.stratum == "unseen"]
    unseen = Unseen(
        open_seconds=sum(i.span.duration_us for i in items if i.stratum == "unseen") / 1e6,
        stretches=len(stretches),
        watched_seconds=sum(item.end_us - item.start_us for item in stretches) / 1e6,
        found=sum(item.found for item in stretches),
    )
    estimate = estimate_remainder(strata, unseen)
    counts: dict[Stratum, int] = {name: item.controls for name, item in strata.items()}
    counts["unseen"] = len(stretches)
    still = {name: sum(item.stratum == name for item in items) for name in STRATA}
    return Rest(still, counts, estimate, _advice(still, counts, estimate, goal))


def representative(decisions: Sequence[ReviewDecision]) -> list[ReviewDecision]:
    """Return the random controls that the rest is still like."""
    chosen = [item for item in decisions if item.reason != "control"]
    doubts = [item.doubt for item in chosen if item.reason == "doubt"]
    depth = min(doubts, default=None)
    scores: dict[str, float] = {}
    times: dict[str, int] = {}
    for item in chosen:
        if item.reason in ("score", "bulk") and item.score is not None:
            lowest = scores.get(item.event_type, item.score)
            scores[item.event_type] = min(lowest, item.score)
        elif item.reason == "time":
            times[item.video_id] = max(times.get(item.video_id, 0), item.end_us)

    def would_be_left(item: ReviewDecision) -> bool:
        if item.stratum == "unseen":
            return True
        if depth is not None and item.doubt >= depth:
            return False
        if item.stratum != "shown":
            return True
        if item.score is not None and item.score >= scores.get(item.event_type, 2.0):
            return False
        return item.end_us > times.get(item.video_id, -1)

    return [item for item in decisions if item.reason == "control" and would_be_left(item)]


def _advice(
    still: dict[Stratum, int], controls: dict[Stratum, int], estimate: Remainder, goal: float
) -> str:
    if not any(still.values()):
        return "Nothing is left to review."
    lacking = [name for name in STRATA if still[name] and controls[name] < ENOUGH_CONTROLS]
    lowest = [end[0] for end in (estimate.precision, estimate.recall) if end is not None]
    if lowest and min(lowest) >= goal:
        return f"You can stop: the rest is at least {goal:.0%} right and complete."
    if lacking:
        return "Go on: too few random controls were reviewed to say how good the rest is."
    highest = [end[1] for end in (estimate.precision, estimate.recall) if end is not None]
    if highest and min(highest) < goal:
        return f"Go on: the rest is below {goal:.0%} in precision or recall; or train again first."
    return f"Go on: it is not certain yet whether the rest reaches {goal:.0%}."
