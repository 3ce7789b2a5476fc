"""What can be seen of a detection while its child runs."""

from dataclasses import replace

from prismata.core.jobs import JobState
from prismata.services.detect import DetectRequest, load_scores, prepare_detection, run_detection
from prismata.services.detect_recording import Recording
from prismata.services.ingest import ingest_file


def test_scores_and_events_are_in_the_catalog_while_the_child_runs(bench, flashes, add_bundle):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    prepared = prepare_detection(bench, DetectRequest(video.id, add_bundle().id))
    seen = []

    def look(message):
        if message["type"] == "scores":
            seen.append(bench.catalog.live_scores.since(prepared.run.id))
        elif message["type"] == "event":
            found = bench.catalog.events.list(detection_run_id=prepared.run.id)
            starts = [item.event.start_us for item in found]
            assert message["event"]["start_us"] in starts, "it is there before anybody else hears"

    outcome = run_detection(bench, prepared, on_message=look)
    assert outcome.state is JobState.SUCCEEDED
    assert seen
    track = load_scores(bench, bench.catalog.detections.get(prepared.run.id))
    scored = dict(zip(track.times_us.tolist(), track.scores[:, 0].tolist(), strict=True))
    for part in seen[-1]:
        for instant, (score,) in zip(part.times_us, part.scores, strict=True):
            assert abs(scored[instant] - score) < 0.001
    assert bench.catalog.live_scores.since(prepared.run.id) == [], "then the track tells"


def test_a_second_attempt_begins_its_curve_anew(bench, flashes, add_bundle):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    prepared = prepare_detection(bench, DetectRequest(video.id, add_bundle().id))
    bench.catalog.live_scores.add(prepared.run.id, [0], [[0.5]])
    first = bench.catalog.leases.claim(prepared.job.id, lease_seconds=60)
    Recording(bench, first, prepared.run, video, {}, {}, [])
    assert len(bench.catalog.live_scores.since(prepared.run.id)) == 1

    Recording(bench, replace(first, attempt=2), prepared.run, video, {}, {}, [])
    assert bench.catalog.live_scores.since(prepared.run.id) == []


def test_a_curve_that_cannot_be_shown_costs_no_detection(bench, flashes, add_bundle):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    prepared = prepare_detection(bench, DetectRequest(video.id, add_bundle().id))
    job = bench.catalog.leases.claim(prepared.job.id, lease_seconds=60)
    recording = Recording(bench, job, prepared.run, video, {}, {}, [])
    bench.catalog.detections.cancel(prepared.run.id)
    recording.on_message({"type": "scores", "times_us": [0], "scores": [[0.5]]})
    assert bench.catalog.live_scores.since(prepared.run.id) == []
