"""Soccer: the 17 actions of SoccerNet-v2, one instant each."""

from __future__ import annotations

from prismata.domains import ClipSpec, Domain, EventType, GroupingRule, Wording, register_domain


def _action(name: str, hotkey: str, guide: str, title: str = "") -> EventType:
    return EventType(name, "point", title=title, hotkey=hotkey, guide=guide)


@register_domain
class Soccer(Domain):
    """What a broadcast of a match is searched for."""

    name = "soccer"
    title = "Soccer"
    version = 1
    replays = "skip"
    guide = "Mark live play only; leave out replays, and mark one instant for each action."
    # Titles are the labels of SoccerNet's Labels-v2.json, so such a file needs no map.
    event_types = (
        _action(
            "penalty",
            "6",
            "First frame in which the foot touches the ball on the penalty spot.",
        ),
        _action(
            "kick_off",
            "1",
            "First frame in which the ball on the centre spot moves.",
            "Kick-off",
        ),
        _action("goal", "y", "First frame with all of the ball behind the goal line."),
        _action(
            "substitution",
            "q",
            "First frame that shows the board with the numbers or the player who comes on.",
        ),
        _action("offside", "z", "First frame in which the assistant's flag is up."),
        _action(
            "shots_on_target",
            "t",
            "First frame in which a shot that would hit the goal leaves the foot or head.",
        ),
        _action(
            "shots_off_target",
            "v",
            "First frame in which a shot that misses the goal leaves the foot or head.",
        ),
        _action(
            "clearance",
            "d",
            "First frame in which a defender under pressure sends the ball far away.",
        ),
        _action("ball_out_of_play", "b", "First frame with all of the ball over an outer line."),
        _action("throw_in", "2", "First frame in which the ball leaves both hands.", "Throw-in"),
        _action("foul", "h", "First frame in which one player brings another to the ground."),
        _action(
            "indirect_free_kick",
            "4",
            "First frame in which a free kick that is not a shot leaves the foot.",
            "Indirect free-kick",
        ),
        _action(
            "direct_free_kick",
            "5",
            "First frame in which a free kick at the goal leaves the foot.",
            "Direct free-kick",
        ),
        _action("corner", "3", "First frame in which the ball leaves the corner."),
        _action("yellow_card", "7", "First frame in which the yellow card is up."),
        _action("red_card", "9", "First frame in which a red card without a yellow one is up."),
        _action(
            "yellow_red_card",
            "8",
            "First frame in which the red card is up that follows a second yellow one.",
            "Yellow->red card",
        ),
    )
    clip = ClipSpec(target_fps=5, num_frames=16, window_stride=1, width=224, height=128)
    rules = {item.name: GroupingRule(min_gap_seconds=1.5) for item in event_types}
    tolerance_seconds = 1.0
    wording = Wording("action", "actions")
