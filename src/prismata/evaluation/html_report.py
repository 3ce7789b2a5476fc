"""The evaluation as one HTML file that opens anywhere, offline, in light and dark.

Invariant: the page loads nothing. Style and pictures are inside, there is no script, and its own
content security policy forbids everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from prismata.core.errors import InvalidInputError
from prismata.core.events import PALETTE, EventKind, EventType
from prismata.core.files import written_whole
from prismata.core.time import format_time, to_seconds
from prismata.evaluation.html_parts import (
    PageSection,
    draw_cards,
    draw_facts,
    draw_notes,
    draw_page,
    draw_sections,
    draw_table,
    say_count,
    say_length,
    say_when,
)
from prismata.evaluation.reliability_svg import draw_reliability
from prismata.evaluation.report import (
    NO_VALUE,
    EvaluationReport,
    MeanPrecision,
    TypeReport,
    format_percent,
)
from prismata.evaluation.timeline_svg import Lane, VideoPicture, draw_timeline, plan_lanes

NO_BREAK = "\N{NO-BREAK SPACE}"
_KIND_TITLES: dict[EventKind, str] = {"point": "Instants", "segment": "Stretches"}
_LEGEND = (
    ('<path class="fill edge" d="M-6,-5 H6 L0,6 Z"/>', "labelled and found"),
    ('<path class="hollow" d="M-6,-5 H6 L0,6 Z"/>', "labelled but missed"),
    ('<circle class="fill edge" r="5.5"/>', "right detection"),
    ('<path class="cross" d="M-5,-5 L5,5 M-5,5 L5,-5"/>', "false alarm"),
    ('<path class="threshold" d="M-8,0 H8"/>', "threshold"),
)


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the page says."""

    title: str
    report: EvaluationReport
    event_types: tuple[EventType, ...]
    videos: tuple[VideoPicture, ...]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Event type name → the threshold that the detections were made with."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """What was measured with what: model, encoder, dataset version, machine, date, times."""
    calibration: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Event type name → what its scores mean, as on the model card; without it nothing is said."""
    baselines: tuple[str, ...] = ()
    """Sentences about what a guess reaches that the figures of this report do not hold."""
    emphasis: str = ""
    """What stands first: `points`, `segments`, `recall`, `precision` or `false_alarms`."""
    sections: tuple[PageSection, ...] = ()
    """What the domain adds."""


def render_report(data: ReportData, path: Path) -> None:
    """Write the page; an existing file is replaced only when the new one is complete.

    Raises:
        InvalidInputError: If a video has no duration or events of a type that is not reported.
        OSError: If the file cannot be written.
    """
    page = render_html(data)
    with written_whole(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def render_html(data: ReportData) -> str:
    """Return the page.

    Raises:
        InvalidInputError: If a video has no duration or events of a type that is not reported.
    """
    _check(data)
    body = [
        f"<h1>{escape(data.title)}</h1>",
        _subtitle(data.report),
        _cards(data.report, data.emphasis),
        "".join(f"<p>{escape(sentence)}</p>" for sentence in data.baselines),
        draw_notes(data.report.notes),
        *(_kind_section(data.report, kind) for kind in _kinds(data.emphasis)),
        draw_sections(data.sections),
        _frames(data.report),
        _reliability(data),
        _videos(data),
        draw_facts("What this was measured with", data.provenance),
    ]
    return draw_page(data.title, body)


def _check(data: ReportData) -> None:
    known = {item.name for item in data.event_types}
    for picture in data.videos:
        if picture.duration_us <= 0:
            raise InvalidInputError(f"{picture.title} has no duration, so it cannot be drawn")
        for event in (*picture.truth, *picture.detections):
            if event.event_type not in known:
                raise InvalidInputError(
                    f"{picture.title} has {event.event_type!r}, which is not reported; known are "
                    f"{', '.join(sorted(known))}"
                )


def _subtitle(report: EvaluationReport) -> str:
    labelled = sum(item.num_truth for item in report.types)
    return (
        f'<p class="soft">{say_count(len(report.videos), "video")}, {say_length(report.hours)}, '
        f"{say_count(labelled, 'labelled event')}.</p>"
    )


def _kinds(emphasis: str) -> Sequence[EventKind]:
    return ("segment", "point") if emphasis == "segments" else ("point", "segment")


def _cards(report: EvaluationReport, emphasis: str) -> str:
    cards: list[tuple[str, str]] = []
    for kind in _kinds(emphasis):
        mean = report.points if kind == "point" else report.segments
        if mean is None:
            continue
        keys = list(mean.by_criterion)
        shown = f"{keys[0]} to {keys[-1]}"
        unit = f"±{shown} s" if mean.kind == "point" else f"tIoU {shown}"
        what = _KIND_TITLES[mean.kind].lower()
        cards.append((format_percent(mean.mean), f"mean average precision, {what}, {unit}"))
        cards.append((format_percent(mean.chance), f"the same by chance, {what}"))
    alarms = sum(item.false_alarms for item in report.types)
    hourly = f"{alarms / report.hours:.1f}" if report.hours > 0 else NO_VALUE
    alarms_card = (hourly, "false alarms per hour, all events together")
    if emphasis == "false_alarms":
        return draw_cards([alarms_card, *cards])
    first = [_share_card(report, emphasis)] if emphasis in ("recall", "precision") else []
    return draw_cards([*first, *cards, alarms_card])


def _share_card(report: EvaluationReport, emphasis: str) -> tuple[str, str]:
    """Return recall or precision at the thresholds, every event counted alike."""
    hits = sum(item.num_detected - item.false_alarms for item in report.types)
    if emphasis == "recall":
        out_of = sum(item.num_truth for item in report.types)
        what = "of the labelled events found (recall), all types together"
    else:
        out_of = sum(item.num_detected for item in report.types)
        what = "of what was found is right (precision), all types together"
    return format_percent(hits / out_of if out_of else None), what


def _kind_section(report: EvaluationReport, kind: EventKind) -> str:
    mean = report.points if kind == "point" else report.segments
    if mean is None:
        return ""
    chosen = [item for item in report.types if item.kind == kind]
    criteria = report.protocol.criteria(kind)
    criterion = report.protocol.product(kind).title
    # A no-break space keeps the number and its unit on one line of a narrow heading.
    titles = [f"AP {item.title.replace(' ', NO_BREAK)}" for item in criteria]
    head = ["Event", "Labelled", "Found", *titles]
    head += ["F1", "Precision", "Recall"]
    head += [f"False{NO_BREAK}alarms per{NO_BREAK}hour", "Mean timing error"]
    rows = [_type_row(item, [item.ap[known.key] for known in criteria]) for item in chosen]
    means = [mean.by_criterion[item.key] for item in criteria]
    blank = [""] * 5
    rows.append(["Mean", "", "", *(format_percent(value) for value in means), *blank])
    caption = (
        "F1, precision, recall, false alarms and timing at the chosen threshold, "
        f"counting {criterion} as found. {_interval_text(mean)}"
    )
    return f"<h2>{_KIND_TITLES[kind]}</h2>" + draw_table(head, rows, caption)


def _type_row(item: TypeReport, precisions: Sequence[float | None]) -> list[str]:
    hourly, error = item.false_alarms_per_hour, item.mean_abs_error_us
    return [
        item.title,
        str(item.num_truth),
        str(item.num_detected),
        *(format_percent(value) for value in precisions),
        format_percent(item.f1),
        format_percent(item.precision),
        format_percent(item.recall),
        NO_VALUE if hourly is None else f"{hourly:.1f}",
        NO_VALUE if error is None else f"{to_seconds(round(error)):.2f} s",
    ]


def _interval_text(mean: MeanPrecision) -> str:
    if mean.mean is None:
        return "There is no mean average precision, because nobody marked such an event."
    chance = f"; as many guesses at a fixed cadence reach {format_percent(mean.chance)}"
    if mean.interval is None:
        return f"Mean over all: {format_percent(mean.mean)}{chance}."
    low, high = (format_percent(value) for value in mean.interval)
    return (
        f"Mean over all: {format_percent(mean.mean)}, 95 % interval over videos {low} to {high}"
        f"{chance}."
    )


def _frames(report: EvaluationReport) -> str:
    rows, reasons = [], []
    for item in report.types:
        if item.frames is None:
            continue
        auc = item.frames.roc_auc
        rows.append(
            [
                item.title,
                str(item.frames.num_instants),
                str(item.frames.num_positive),
                NO_VALUE if auc is None else f"{auc:.3f}",
                format_percent(item.frames.average_precision),
            ]
        )
        if item.frames.reason:
            reasons.append(f" {item.title}: {item.frames.reason}.")
    if not rows:
        return ""
    head = ["Event", "Instants", "Of them in an event", "ROC-AUC", "Average precision"]
    caption = (
        "How well single sampled instants are told apart, before they are grouped into events."
        + "".join(reasons)
    )
    return "<h2>Single instants</h2>" + draw_table(head, rows, caption)


def _reliability(data: ReportData) -> str:
    parts = []
    for number, item in enumerate(data.event_types, start=1):
        entry = data.calibration.get(item.name)
        if entry is None:
            continue
        color = item.color or PALETTE[(number - 1) % len(PALETTE)]
        drawn = draw_reliability(item.title, entry, color, f"reliability-{number}")
        parts.append(f"<h3>{escape(item.title)}</h3><p>{escape(_said(entry))}</p>{drawn}")
        if entry["bins"]:
            rows = [
                [
                    f"{part['from']:.2f} to {part['to']:.2f}",
                    str(part["events"]),
                    format_percent(part["mean_confidence"]),
                    format_percent(part["share_true"]),
                ]
                for part in entry["bins"]
            ]
            head = ["Said", "Candidate events", "Said on average", "True"]
            parts.append(draw_table(head, rows, f"The bars of {item.title} as numbers."))
    return "<h2>What a score means</h2>" + "".join(parts) if parts else ""


def _said(entry: Mapping[str, Any]) -> str:
    """Say what was fitted, and what that was measured to be worth."""
    fitted = {
        "none": "Nothing was fitted, so scores stand for themselves.",
        "temperature": f"Confidence is sigmoid({entry['a']:.2f} · logit(score)).",
        "platt": f"Confidence is sigmoid({entry['a']:.2f} · logit(score) {entry['b']:+.2f}).",
    }[entry["method"]]
    words = [
        f"{fitted} {say_count(entry['events'], 'candidate event')} of "
        f"{say_count(entry['videos'], 'validation video')} were looked at, "
        f"{entry['true_events']} of them true."
    ]
    errors = {
        "with confidences": entry["ece_after"],
        "with scores": entry["ece_before"],
    }
    known = [f"{value:.3f} {name}" for name, value in errors.items() if value is not None]
    if known:
        words.append(
            f"Expected calibration error {', '.join(known)}; measured on {entry['measured_on']}. "
            f"So few events would show about {entry['ece_if_perfect']:.3f} even if all were right."
        )
    note = entry["note"]
    return " ".join([*words, *([f"{note[:1].upper()}{note[1:]}."] if note else [])])


def _videos(data: ReportData) -> str:
    if not data.videos:
        return ""
    marks = "".join(
        '<li><svg width="18" height="16" viewBox="-9 -8 18 16" aria-hidden="true">'
        f"{shape}</svg>{text}</li>"
        for shape, text in _LEGEND
    )
    if any(item.kind == "segment" for item in data.event_types):
        marks += "<li>Bars are stretches: dashed = missed, striped with a cross = false alarm</li>"
    if any(picture.unknown for picture in data.videos):
        marks += (
            "<li>Shaded: nobody watched; what was detected there is neither right nor wrong</li>"
        )
    criteria = {item.name: data.report.protocol.product(item.kind) for item in data.event_types}
    parts = ["<h2>Videos</h2>", f'<ul class="legend">{marks}</ul>']
    for number, picture in enumerate(data.videos, start=1):
        lanes = plan_lanes(picture, data.event_types, criteria, data.thresholds)
        parts.append(_video(picture, lanes, f"video-{number}"))
    return "\n".join(parts)


def _video(picture: VideoPicture, lanes: Sequence[Lane], element_id: str) -> str:
    rows = [row for _, row in sorted(_event_rows(lanes))]
    table = draw_table(
        ["Result", "Event", "Labelled", "Detected", "Difference", "Score"],
        rows,
        f"What happens in {picture.title}, by time.",
        text_columns=4,
    )
    listed = (
        f"<details><summary>{say_count(len(rows), 'event')}</summary>{table}</details>"
        if rows
        else '<p class="soft">Nothing was labelled and nothing was detected here.</p>'
    )
    return (
        f'<section class="video"><h3>{escape(picture.title)} <span class="soft">'
        f"{format_time(picture.duration_us)}</span></h3>"
        f'<div class="picture" tabindex="0">{draw_timeline(picture, lanes, element_id)}</div>'
        f"{listed}</section>"
    )


def _event_rows(lanes: Sequence[Lane]) -> list[tuple[int, list[str]]]:
    rows = []
    for lane in lanes:
        title = f"{lane.letter} · {lane.event_type.title}"
        for match in lane.matches:
            score = "" if match.detection.score is None else f"{match.detection.score:.2f}"
            if match.truth is None:
                row = ["✕ False alarm", title, "", say_when(match.detection), "", score]
            else:
                off = to_seconds(match.detection.start_us - match.truth.start_us)
                row = ["● Found", title, say_when(match.truth), say_when(match.detection)]
                row += [f"{off:+.2f} s", score]
            rows.append((match.detection.start_us, row))
        for event in lane.unseen:
            score = "" if event.score is None else f"{event.score:.2f}"
            row = ["Nobody watched", title, "", say_when(event), "", score]
            rows.append((event.start_us, row))
        rows += [
            (event.start_us, ["▽ Missed", title, say_when(event), "", "", ""])
            for event in lane.missed
        ]
    return rows
