"""What annotators do with replays, and what a model learned from that way has seen of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

ReplayPolicy = Literal["unstated", "none", "skip", "label"]
"""`unstated`: nobody said; `none`: the videos hold no replays; `skip`: a replay is passed over and
counts neither as an event nor as none; `label`: an event is labelled again when it is shown again.
"""

REPLAYS_FOR_ANNOTATORS: Mapping[ReplayPolicy, str] = {
    "unstated": "",
    "none": "",
    "skip": "Replays: pass over all of it (Shift+W); it counts neither as event nor as none.",
    "label": "Replays: label the event again each time it is shown.",
}
"""What the label guide says; nothing where there is nothing to do."""

REPLAYS_IN_DATA: Mapping[ReplayPolicy, str] = {
    "unstated": "not stated",
    "none": "there are none in these videos",
    "skip": "passed over; nothing is learned or measured there",
    "label": "labelled like the event itself",
}
"""What a dataset version, a model card and a report say."""


def replays_in_data(policy: str) -> str:
    """Return what a stored policy means; one that this program does not know says so itself."""
    for known, words in REPLAYS_IN_DATA.items():
        if policy == known:
            return words
    return policy
