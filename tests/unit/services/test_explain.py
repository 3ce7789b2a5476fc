"""Why an event fired, from stored scores: checked against scores made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.services.explain import explain_event
from prismata.services.regroup import regroup


@pytest.fixture
def run(video, flashes, add_bundle, finished_run):
    return finished_run(video, add_bundle(), flashes)


@pytest.fixture
def found_in(bench, run, video):
    """Regroup scores given as `{instant in ms: score}`, 0.05 elsewhere, each 50 ms."""

    def found(peaks, threshold=0.5, **grouping):
        times = np.arange(0, video.duration_us, 50_000, dtype=np.int64)
        scores = np.full((times.size, 1), 0.05, np.float32)
        for at_ms, score in peaks.items():
            scores[at_ms // 50, 0] = score
        return regroup(
            bench,
            run,
            {"flash": threshold},
            grouping={"flash": grouping} if grouping else None,
            track=ScoreTrack(times, scores, ("flash",)),
        )

    return found


def test_it_names_the_peak_the_run_and_what_the_model_looked_at(bench, run, found_in):
    found = found_in({900: 0.3, 950: 0.6, 1000: 0.9, 1050: 0.55, 1100: 0.3})
    (event,) = found.events
    told = explain_event(bench, run, found, event)
    assert [item.at_us for item in told.instants] == [900_000 + 50_000 * n for n in range(5)]
    assert (told.peak.at_us, told.peak.score) == (1_000_000, pytest.approx(0.9))
    assert told.stretch.start_us < 900_000 < 1_100_000 < told.stretch.end_us
    assert told.parts == (told.stretch,)
    # Three frames, 20 a second: the instant itself and one on each side of it.
    assert told.peak.window == TimeSpan(950_000, 1_100_000)
    assert told.peak.frames == 3
    said = " ".join(told.sentences())
    assert "The score reached 0.90 at 0:01.000; an event has to reach 0.50, and 3 of 5" in said
    assert "looked at 3 frames, from 0:00.950 to 0:01.100" in said
    assert "joined" not in said
    assert "cases" not in said, "nobody measured what this model's scores mean"


def test_runs_that_were_joined_are_counted_and_come_apart_with_the_gap(bench, run, found_in):
    peaks = {1000: 0.9, 1200: 0.8}
    found = found_in(peaks)
    (event,) = found.events
    told = explain_event(bench, run, found, event)
    assert len(told.parts) == 2
    assert "2 runs closer than 0.3 s to each other were joined" in " ".join(told.sentences())
    apart = found_in(peaks, min_gap_seconds=0.05)
    assert len(apart.events) == 2
    assert apart.rules["flash"].min_gap_seconds == 0.05
    for event in apart.events:
        assert len(explain_event(bench, run, apart, event).parts) == 1


def test_at_the_start_of_the_video_the_window_is_as_short_as_it_was(bench, run, found_in):
    found = found_in({0: 0.9, 50: 0.6})
    (event,) = found.events
    told = explain_event(bench, run, found, event)
    assert told.peak.window == TimeSpan(0, 100_000)
    assert told.peak.frames == 2


def test_a_coarse_look_says_that_it_was_one(bench, run, found_in):
    found = found_in({1000: 0.9})
    (event,) = found.events
    fine = explain_event(bench, run, found, event)
    assert "coarse" not in " ".join(fine.sentences())
    coarse = replace(run, settings={**run.settings, "coarse": True})
    assert "It was a coarse look" in " ".join(
        explain_event(bench, coarse, found, event).sentences()
    )


def test_what_lies_on_no_score_is_not_explained(bench, run, found_in):
    found = found_in({1000: 0.9})
    with pytest.raises(NotFoundError, match="no score of this run lies under"):
        explain_event(bench, run, found, Event.point("flash", 2_000_000))


def test_a_rule_can_only_be_changed_where_it_has_such_a_field(found_in):
    with pytest.raises(InvalidInputError, match="a grouping rule has no 'colour'"):
        found_in({1000: 0.9}, colour=1)
    with pytest.raises(InvalidInputError, match=r"min_gap_seconds must lie in 0\.\.3600"):
        found_in({1000: 0.9}, min_gap_seconds=-1)
