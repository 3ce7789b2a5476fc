"""`prismata review`: decide about what a model found, and ask how good the rest is."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Annotated, Any, get_args

import typer

from prismata.catalog import Decision, ReviewDecision
from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import format_time, to_seconds, to_us
from prismata.services.annotate import LabelDesk
from prismata.services.review import ReviewDesk, Verdict
from prismata.services.review_queue import ReviewCard, ReviewOrder
from prismata.services.review_rest import Rest
from prismata.services.wording import one_of
from prismata.services.workbench import Workbench
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True, help="Review what a model found; decisions become labels.")

_ORDERS = ", ".join(get_args(ReviewOrder))
_DECISIONS = ("accepted", "rejected", "unsure", "corrected")

DomainArgument = Annotated[str, typer.Argument(help="Name of the domain.")]
ModelOption = Annotated[
    str, typer.Option(help="Model; by default the domain's one in production or newest.")
]


@app.command()
def queue(
    domain: DomainArgument,
    model: ModelOption = "",
    order: Annotated[str, typer.Option(help=f"What comes first: {_ORDERS}.")] = "doubt",
    event_type: Annotated[str, typer.Option("--type", help="Only of this event type.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="So many at most.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List what to look at next, and why it is there."""
    chosen = one_of(order, get_args(ReviewOrder), "order")
    with open_workbench() as bench:
        told = _desk(bench).queue(domain, model, order=chosen, event_type=event_type, limit=limit)
    if as_json:
        cards = [_card_dict(card) for card in told.cards]
        print_json({"model": told.model.name, "cards": cards, "rest": asdict(told.rest)})
        return
    if not told.cards:
        notes.print("nothing is open in this queue", markup=False)
    else:
        columns = ("key", "video", "event", "start", "score", "why")
        print_table("", columns, [_row(card) for card in told.cards], right="start,score")
    _print_rest(told.rest)


@app.command()
def decide(
    key: Annotated[str, typer.Argument(help="Of the queue: RUN:TYPE:START:END.")],
    decision: Annotated[str, typer.Argument(help=f"{', '.join(_DECISIONS)}.")],
    event_type: Annotated[str, typer.Option("--type", help="What it is instead.")] = "",
    start: Annotated[float | None, typer.Option(help="Where it begins instead, seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="Where it ends instead, seconds.")] = None,
    control: Annotated[
        bool, typer.Option("--control", help="It was in the queue as a random control.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide about one candidate; the label is made at once and can be taken back."""
    meant: Decision = one_of(decision, _DECISIONS, "decision")
    changes = event_type or start is not None or end is not None
    if bool(changes) != (meant == "corrected"):
        raise InvalidInputError(
            "'corrected' says what the event really is, with --type, --start or --end; the other "
            "decisions take none of them"
        )
    with open_workbench() as bench:
        desk = _desk(bench)
        item = desk.item(key)
        found = item.event
        if found is None:
            raise InvalidInputError(
                "this is a stretch in which the model found nothing; watch it in the browser"
            )
        corrected = None
        if meant == "corrected":
            begins = found.start_us if start is None else to_us(start)
            ends = found.end_us if end is None else to_us(end)
            if found.kind == "point":
                ends = begins
            corrected = Event(begins, ends, event_type or found.event_type, found.kind)
        made = desk.decide(
            Verdict(
                id=uuid.uuid4().hex,
                run_id=item.run_id,
                event_type=found.event_type,
                span=found.span,
                decision=meant,
                reason="control" if control else "doubt",
                doubt=item.doubt.value,
                corrected=corrected,
            ),
            bench.settings.author,
        )
    if as_json:
        print_json(asdict(made))
        return
    output.print(f"{made.decision}; take it back with: prismata review undo {made.id}")


@app.command()
def undo(
    decision: Annotated[str, typer.Argument(help="Id that `decide` printed.")],
) -> None:
    """Take a decision back, and the label that it made."""
    with open_workbench() as bench:
        _desk(bench).undo(decision, bench.settings.author)
    output.print("taken back")


@app.command(name="accept-above")
def accept_above(
    domain: DomainArgument,
    event_type: Annotated[str, typer.Argument(help="Event type.")],
    score: Annotated[float, typer.Argument(help="From this score on.")],
    model: ModelOption = "",
) -> None:
    """Accept everything from a score on, without looking; the decisions say so."""
    with open_workbench() as bench:
        made = _desk(bench).accept_above(domain, model, event_type, score, bench.settings.author)
    output.print(f"{len(made)} accepted that nobody looked at")


@app.command()
def rest(domain: DomainArgument, model: ModelOption = "", as_json: JsonOption = False) -> None:
    """Say how good what nobody reviewed is, from the random controls, and whether to stop."""
    with open_workbench() as bench:
        told = _desk(bench).queue(domain, model, limit=0)
    if as_json:
        print_json({"model": told.model.name, "decided": told.decided, **asdict(told.rest)})
        return
    output.print(f"{told.model.name}: {told.decided} reviewed", markup=False)
    _print_rest(told.rest)


@app.command()
def decisions(domain: DomainArgument, model: ModelOption = "", as_json: JsonOption = False) -> None:
    """List what was decided: by whom, when, under which model and threshold."""
    with open_workbench() as bench:
        model_id = bench.catalog.models.find(model).id if model else None
        made = bench.catalog.reviews.list(domain, model_id=model_id)
        names = {video.id: video.name for video in bench.catalog.videos.list()}
    if as_json:
        print_json({"decisions": [asdict(item) for item in made]})
        return
    if not made:
        notes.print("nothing was decided yet", markup=False)
        return
    columns = ("when", "who", "decision", "video", "event", "start", "score", "threshold", "model")
    rows = [_decision_row(item, names) for item in made]
    print_table("", columns, rows, right="start,score,threshold")


def _desk(bench: Workbench) -> ReviewDesk:
    return ReviewDesk(bench, LabelDesk(bench))


def _card_dict(card: ReviewCard) -> dict[str, Any]:
    item = card.item
    return {
        "key": item.key,
        "video": item.video.name,
        "stratum": item.stratum,
        "reason": card.reason,
        "why": item.doubt.reasons,
        "doubt": item.doubt.value,
        "event_type": item.event.event_type if item.event else "",
        "start_seconds": to_seconds(item.span.start_us),
        "end_seconds": to_seconds(item.span.end_us),
        "score": item.event.score if item.event else None,
        "threshold": item.threshold,
        "probability": item.probability,
    }


def _row(card: ReviewCard) -> tuple[str, ...]:
    item = card.item
    why = "random control" if card.reason == "control" else ", ".join(item.doubt.reasons)
    score = item.event.score if item.event else None
    return (
        item.key,
        item.video.name,
        item.event.event_type if item.event else "(nothing found)",
        format_time(item.span.start_us),
        "" if score is None else f"{score:.2f}",
        why,
    )


def _decision_row(item: ReviewDecision, names: dict[str, str]) -> tuple[str, ...]:
    return (
        "" if item.created_at is None else item.created_at.isoformat(" ", "seconds"),
        item.reviewer,
        item.decision,
        names.get(item.video_id, item.video_id),
        item.event_type,
        format_time(item.start_us),
        "" if item.score is None else f"{item.score:.2f}",
        "" if item.threshold is None else f"{item.threshold:.2f}",
        item.model_digest[:12],
    )


def _print_rest(told: Rest) -> None:
    found = told.estimate
    open_here = ", ".join(f"{count} {name}" for name, count in told.open.items())
    output.print(f"open: {open_here}", markup=False)
    if found.controls:
        output.print(
            f"of the rest, from {found.controls} random controls: precision "
            f"{_share(found.precision)}, recall {_share(found.recall)}, missed "
            f"{found.missed[0]:.0f} to {found.missed[1]:.0f}",
            markup=False,
        )
    output.print(told.advice, markup=False)


def _share(interval: tuple[float, float] | None) -> str:
    return "unknown" if interval is None else f"{interval[0]:.0%} to {interval[1]:.0%}"
