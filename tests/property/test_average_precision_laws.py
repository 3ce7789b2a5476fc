from hypothesis import given, settings
from hypothesis import strategies as st

from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.evaluation import point_average_precision, segment_average_precision

times = st.integers(0, 10_000_000)
scores = st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.5000001, 0.8, 1.0])
point_truth = st.lists(times.map(lambda t: Event.point("a", t)), min_size=1, max_size=8)
points = st.lists(st.builds(lambda t, s: Event.point("a", t, s), times, scores), max_size=12)
spans = st.tuples(times, st.integers(1, 3_000_000))
segment_truth = st.lists(
    spans.map(lambda s: Event.segment("a", s[0], s[0] + s[1])), min_size=1, max_size=8
)
segments = st.lists(
    st.builds(lambda s, x: Event.segment("a", s[0], s[0] + s[1], x), spans, scores), max_size=12
)
videos = st.sampled_from(["x", "y"])


def scored(event, score):
    return Event(event.start_us, event.end_us, event.event_type, event.kind, score)


def brute_force(truth, detections, hits_at):
    """The definition, told in the simplest way: one video list after the other, no arrays."""
    ranked = sorted(
        ((video, event) for video in detections for event in detections[video]),
        key=lambda item: (-item[1].score, item[1].start_us, item[1].end_us),
    )
    free = {video: list(events) for video, events in truth.items()}
    outcome = []
    for video, event in ranked:
        options = [t for t in free.get(video, []) if hits_at(event, t) is not None]
        options.sort(key=lambda t: (hits_at(event, t), t.start_us, t.end_us))
        if options:
            free[video].remove(options[0])
        outcome.append((event.score, bool(options)))
    precision_at = {}
    for score, _ in outcome:
        taken = [hit for other, hit in outcome if other >= score]
        precision_at[score] = sum(taken) / len(taken)
    total = sum(
        max(precision for other, precision in precision_at.items() if other <= score)
        for score, hit in outcome
        if hit
    )
    return total / sum(len(events) for events in truth.values())


def near(tolerance_us):
    def distance(detection, truth):
        off = abs(detection.start_us - truth.start_us)
        return off if off <= tolerance_us else None

    return distance


def overlapping(tiou):
    def distance(detection, truth):
        common = min(detection.end_us, truth.end_us) - max(detection.start_us, truth.start_us)
        union = max(detection.end_us, truth.end_us) - min(detection.start_us, truth.start_us)
        share = common / union
        return -share if share >= tiou else None

    return distance


@given(st.dictionaries(videos, point_truth, min_size=1), st.dictionaries(videos, points))
@settings(max_examples=200, deadline=None)
def test_points_agree_with_the_definition_told_simply(truth, found):
    for tolerance_us in (0, 300_000, 2_000_000):
        ours = point_average_precision(truth, found, "a", tolerance_us)
        assert abs(ours - brute_force(truth, found, near(tolerance_us))) < 1e-9


@given(st.dictionaries(videos, segment_truth, min_size=1), st.dictionaries(videos, segments))
@settings(max_examples=200, deadline=None)
def test_segments_agree_with_the_definition_told_simply(truth, found):
    for tiou in (0.1, 0.5, 0.9):
        ours = segment_average_precision(truth, found, "a", tiou)
        assert abs(ours - brute_force(truth, found, overlapping(tiou))) < 1e-9


@given(point_truth, st.randoms(use_true_random=False))
def test_perfect_points_have_average_precision_one(truth, random):
    found = [scored(event, random.choice([0.2, 0.9])) for event in truth]
    assert point_average_precision({"x": truth}, {"x": found}, "a", 0) == 1.0


@given(segment_truth)
def test_perfect_segments_have_average_precision_one(truth):
    found = [scored(event, 0.5) for event in truth]
    assert segment_average_precision({"x": truth}, {"x": found}, "a", 1.0) == 1.0


@given(point_truth, points)
@settings(deadline=None)
def test_only_the_order_of_scores_matters(truth, found):
    moved = [scored(event, event.score**3 / 2) for event in found]
    before = point_average_precision({"x": truth}, {"x": found}, "a", 300_000)
    assert before == point_average_precision({"x": truth}, {"x": moved}, "a", 300_000)


@given(point_truth, points, st.sampled_from([0.05, 0.1]))
@settings(deadline=None)
def test_a_low_scored_false_alarm_never_helps(truth, found, score):
    before = point_average_precision({"x": truth}, {"x": found}, "a", 300_000)
    more = [*found, Event.point("a", 20_000_000, score)]
    after = point_average_precision({"x": truth}, {"x": more}, "a", 300_000)
    assert after <= before + 1e-12  # nothing but the rounding of another sum


@given(point_truth, points)
@settings(deadline=None)
def test_the_order_in_the_lists_does_not_matter(truth, found):
    forwards = point_average_precision({"x": truth}, {"x": found}, "a", 300_000)
    backwards = point_average_precision({"x": truth[::-1]}, {"x": found[::-1]}, "a", 300_000)
    assert forwards == backwards


@given(spans, spans, st.integers(0, 10**9))
def test_tiou_is_symmetric_bounded_and_free_of_shifts(first, second, shift):
    a = TimeSpan(first[0], first[0] + first[1])
    b = TimeSpan(second[0], second[0] + second[1])
    assert a.tiou(b) == b.tiou(a)
    assert 0.0 <= a.tiou(b) <= 1.0
    assert (a.tiou(b) == 1.0) == (a == b)
    moved_a = TimeSpan(a.start_us + shift, a.end_us + shift)
    moved_b = TimeSpan(b.start_us + shift, b.end_us + shift)
    assert moved_a.tiou(moved_b) == a.tiou(b)
