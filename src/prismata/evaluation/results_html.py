"""What a model found as one HTML file that opens anywhere, offline, in light and dark.

Invariant: a video on which the run failed is listed as failed, with the cause; one without events
was really looked at and nothing reached the threshold.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from prismata.core.events import Event, EventType
from prismata.core.time import format_time, to_seconds
from prismata.evaluation.bars_svg import Bar, color_of, draw_bars
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
from prismata.evaluation.report import NO_VALUE
from prismata.evaluation.timeline_svg import VideoPicture, draw_timeline, plan_unjudged_lanes

MAX_BARS = 60
MAX_LISTED = 500
"""Events of one video in its table and its picture; a page must stay one that opens."""


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One event of a video."""

    event: Event
    decision: str = ""
    """What a person decided, and who; empty: nobody looked."""
    still: bytes = b""
    """JPEG; empty = none."""


@dataclass(frozen=True, slots=True)
class VideoResult:
    """A video that was looked at."""

    picture: VideoPicture
    """Its detections are taken from `events`."""
    events: tuple[ShownEvent, ...]
    """By time."""
    thresholds: Mapping[str, float]
    day: str
    """On which it was looked at, ISO 8601."""
    how: str = ""
    """When, with what and for how long, in one line."""
    derived: tuple[tuple[Event, str], ...] = ()
    """What follows from the events, each with what it is called, by time."""


@dataclass(frozen=True, slots=True)
class VideoFailure:
    """A video whose last run did not end well, so it says nothing about the video."""

    title: str
    state: str
    """`failed`, `cancelled`, `running` or `queued`."""
    message: str
    when: str


@dataclass(frozen=True, slots=True)
class ResultWords:
    """What the events are called."""

    one: str = "event"
    many: str = "events"
    nothing: str = "nothing reached the threshold"
    """What it means that a video has none."""

    def count(self, number: int) -> str:
        """Return a number with what it counts."""
        return f"{number} {self.one if number == 1 else self.many}"


@dataclass(frozen=True, slots=True)
class ResultsData:
    """Everything that the page says."""

    title: str
    event_types: tuple[EventType, ...]
    videos: tuple[VideoResult, ...]
    failures: tuple[VideoFailure, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    words: ResultWords = field(default_factory=ResultWords)
    sections: tuple[PageSection, ...] = ()
    """What the domain adds."""


def render_results(data: ResultsData) -> str:
    """Return the page."""
    return draw_page(
        data.title,
        [
            f"<h1>{escape(data.title)}</h1>",
            _subtitle(data),
            _cards(data),
            draw_notes(data.notes),
            _failures(data.failures),
            _types(data),
            draw_sections(data.sections),
            _bars(data, "Events by video", _by_video(data)),
            _bars(data, "Events by the day the video was looked at (UTC)", _by_day(data)),
            *_videos(data),
            draw_facts("What this was found with", data.provenance),
        ],
        with_pictures=True,
    )


def _subtitle(data: ResultsData) -> str:
    hours = sum(to_seconds(item.picture.duration_us) for item in data.videos) / 3600
    looked = f"{say_count(len(data.videos), 'video')}, {say_length(hours)}, looked at"
    return f'<p class="soft">{looked}.</p>'


def _cards(data: ResultsData) -> str:
    words = data.words
    hours = sum(to_seconds(item.picture.duration_us) for item in data.videos) / 3600
    total = sum(len(item.events) for item in data.videos)
    empty = sum(not item.events for item in data.videos)
    decisions = sum(bool(shown.decision) for item in data.videos for shown in item.events)
    cards = [
        (str(total), f"{words.one if total == 1 else words.many} found"),
        (f"{total / hours:.1f}" if hours else NO_VALUE, f"{words.many} per hour of video"),
        (str(empty), "videos in which nothing reached the threshold"),
        (str(len(data.failures)), "videos whose last run did not end well"),
        (str(decisions), f"{words.many} that a person has judged"),
    ]
    return draw_cards(cards)


def _failures(failures: Sequence[VideoFailure]) -> str:
    if not failures:
        return ""
    rows = [[item.title, item.state, item.message, item.when] for item in failures]
    caption = (
        "A run that did not end well says nothing about its video, least of all that it is empty."
    )
    table = draw_table(["Video", "State", "Cause", "When"], rows, caption, text_columns=4)
    return f'<h2>Runs that did not end well</h2><div class="wrapped">{table}</div>'


def _counts(item: VideoResult) -> Counter[str]:
    return Counter(shown.event.event_type for shown in item.events)


def _types(data: ResultsData) -> str:
    counts: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    scores: dict[str, list[float]] = {}
    for shown in (shown for item in data.videos for shown in item.events):
        name = shown.event.event_type
        counts[name] += 1
        judged[name] += bool(shown.decision)
        if shown.event.score is not None:
            scores.setdefault(name, []).append(shown.event.score)
    rows = []
    for item in data.event_types:
        known = sorted(scores.get(item.name, []))
        middle = f"{known[len(known) // 2]:.2f}" if known else NO_VALUE
        rows.append([item.title, str(counts[item.name]), str(judged[item.name]), middle])
    head = ["Event", "Found", "Judged", "Median score"]
    return "<h2>Events by type</h2>" + draw_table(head, rows, "All videos together.")


def _by_video(data: ResultsData) -> list[Bar]:
    bars = [Bar(item.picture.title, _counts(item)) for item in data.videos]
    return sorted(bars, key=lambda bar: (-sum(bar.counts.values()), bar.name))


def _by_day(data: ResultsData) -> list[Bar]:
    days: dict[str, Counter[str]] = {}
    for item in data.videos:
        days.setdefault(item.day, Counter()).update(_counts(item))
    return [Bar(day, days[day]) for day in sorted(days)]


def _bars(data: ResultsData, title: str, bars: Sequence[Bar]) -> str:
    if not bars:
        return ""
    legend = "".join(
        f'<li style="--lane:{escape(color_of(data.event_types, index))}">'
        '<svg width="16" height="16" aria-hidden="true">'
        f'<rect class="fill edge" x="2" y="2" width="12" height="12"/></svg>'
        f"{escape(item.title)}</li>"
        for index, item in enumerate(data.event_types)
    )
    left = len(bars) - MAX_BARS
    more = f'<p class="soft">And {left} more with fewer events.</p>' if left > 0 else ""
    drawn = draw_bars(bars[:MAX_BARS], data.event_types, title)
    return f'<h2>{escape(title)}</h2><ul class="legend">{legend}</ul>{drawn}{more}'


def _videos(data: ResultsData) -> list[str]:
    if not data.videos:
        return []
    parts = ["<h2>Videos</h2>"]
    titles = {item.name: item.title for item in data.event_types}
    for number, item in enumerate(data.videos, start=1):
        parts.append(_video(data, item, titles, f"video-{number}"))
    return parts


def _video(data: ResultsData, item: VideoResult, titles: Mapping[str, str], element_id: str) -> str:
    picture = item.picture
    listed = item.events[:MAX_LISTED]
    drawn = VideoPicture(
        picture.video_id,
        picture.title,
        picture.duration_us,
        (),
        tuple(shown.event for shown in listed),
        picture.track,
    )
    lanes = plan_unjudged_lanes(drawn, data.event_types, item.thresholds, remark="")
    timeline = draw_timeline(drawn, lanes, element_id)
    return (
        f'<section class="video"><h3>{escape(picture.title)} <span class="soft">'
        f"{format_time(picture.duration_us)}</span></h3>"
        f'<p class="soft">{escape(item.how)}</p>'
        f'<div class="picture" tabindex="0">{timeline}</div>'
        f"{_stills(listed, titles)}{_event_table(item, listed, titles, data.words)}"
        f"{_derived_table(item)}</section>"
    )


def _stills(events: Sequence[ShownEvent], titles: Mapping[str, str]) -> str:
    shown = [item for item in events if item.still]
    if not shown:
        return ""
    figures = "".join(
        f'<li><figure><img alt="" src="data:image/jpeg;base64,{b64encode(item.still).decode()}">'
        f"<figcaption>{escape(titles[item.event.event_type])} "
        f"{format_time(item.event.start_us)}{_score(item.event, ', ')}"
        f"{escape(', ' + item.decision) if item.decision else ''}</figcaption></figure></li>"
        for item in shown
    )
    return f'<ul class="stills">{figures}</ul>'


def _event_table(
    item: VideoResult,
    listed: Sequence[ShownEvent],
    titles: Mapping[str, str],
    words: ResultWords,
) -> str:
    if not listed:
        return f'<p class="soft">Looked at to the end; {escape(words.nothing)}.</p>'
    rows = [
        [titles[shown.event.event_type], say_when(shown.event), shown.decision, _score(shown.event)]
        for shown in listed
    ]
    left = len(item.events) - len(listed)
    caption = f"What was found in {item.picture.title}, by time"
    caption += f"; {left} more are not shown, export them as CSV." if left else "."
    table = draw_table(["Event", "When", "Judged", "Score"], rows, caption, text_columns=3)
    count = escape(words.count(len(item.events)))
    return f"<details><summary>{count}</summary>{table}</details>"


def _derived_table(item: VideoResult) -> str:
    if not item.derived:
        return ""
    listed = item.derived[:MAX_LISTED]
    rows = [[title, say_when(event)] for event, title in listed]
    left = len(item.derived) - len(listed)
    caption = "Derived: nobody saw these, they follow from what was found"
    caption += f"; {left} more are not shown." if left else "."
    table = draw_table(["What", "When"], rows, caption, text_columns=2)
    return f"<details><summary>{len(item.derived)} derived from these</summary>{table}</details>"


def _score(event: Event, before: str = "") -> str:
    return "" if event.score is None else f"{before}{event.score:.2f}"
