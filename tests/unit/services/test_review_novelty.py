"""What looks unlike everything labelled is told from what does not."""

import numpy as np
import pytest

from prismata.core.events import Event
from prismata.core.sketches import BIN_US, SKETCH_SIZE, FeatureSketch
from prismata.core.time import TimeSpan
from prismata.services.annotate import LabelDesk
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.review import ReviewDesk
from prismata.services.review_novelty import labelled_looks, load_sketch, sketch_key

WHOLE = [TimeSpan(0, 60_000_000)]


def video(rng, *centres, spread=0.05, encoder="e", seconds=10):
    """Half seconds around one look, or around several by turns."""
    count = 2 * seconds
    rows = np.zeros((count, SKETCH_SIZE))
    for number in range(count):
        rows[number, centres[number % len(centres)]] = 1.0
    rows += spread * rng.standard_normal(rows.shape)
    return FeatureSketch(np.arange(count, dtype=np.int64), rows.astype(np.float16), encoder)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_what_looks_like_labelled_time_is_not_new_and_what_does_not_is(rng):
    looks = labelled_looks([(video(rng, 0, 1), WHOLE), (video(rng, 1, 0), WHOLE)])
    moment = TimeSpan(2 * BIN_US, 3 * BIN_US)
    assert looks.novelty(video(rng, 0), moment) < 0.3
    assert looks.novelty(video(rng, 7), moment) == 1.0
    half = video(rng, 0, 7)
    assert looks.novelty(half, TimeSpan(BIN_US, 2 * BIN_US)) > looks.novelty(half, moment)


def test_only_what_is_known_of_a_video_counts_as_labelled(rng):
    mixed = video(rng, 0, spread=0.05, seconds=20)
    mixed.rows[20:] = video(rng, 7, seconds=10).rows
    first = [TimeSpan(0, 20 * BIN_US)]
    looks = labelled_looks([(mixed, first), (video(rng, 0), WHOLE)])
    assert looks.novelty(video(rng, 7), TimeSpan(0, BIN_US)) == 1.0
    both = labelled_looks([(mixed, WHOLE), (video(rng, 0), WHOLE)])
    assert both.novelty(video(rng, 7), TimeSpan(0, BIN_US)) < 0.5


def test_one_video_is_compared_with_its_other_moments(rng):
    looks = labelled_looks([(video(rng, 0, seconds=30), WHOLE)])
    assert 0 < looks.usual < 1
    assert looks.novelty(video(rng, 7), TimeSpan(0, BIN_US)) == 1.0


def test_too_little_and_all_the_same_say_nothing(rng):
    assert labelled_looks([]) is None
    assert labelled_looks([(video(rng, 0), [TimeSpan(0, 3 * BIN_US)])]) is None
    still = video(rng, 0, spread=0.0)
    assert labelled_looks([(still, WHOLE), (still, WHOLE)]) is None


def test_another_encoder_and_no_sketch_are_never_called_new(rng, bench):
    looks = labelled_looks([(video(rng, 0), WHOLE), (video(rng, 0), WHOLE)])
    moment = TimeSpan(0, BIN_US)
    assert looks.novelty(None, moment) == 0.0
    assert looks.novelty(video(rng, 7, encoder="other"), moment) == 0.0
    assert looks.novelty(video(rng, 7), TimeSpan(999 * BIN_US, 999 * BIN_US)) == 0.0


def test_a_detection_leaves_a_sketch_and_kept_features_give_the_same(bench, video_file, model):
    runs = [detect(bench, video_file, model) for _ in range(2)]
    first, again = (load_sketch(bench, run) for run in runs)
    assert first.bins.size == -(-video_file.duration_us // BIN_US)
    np.testing.assert_array_equal(first.rows, again.rows)
    assert np.isfinite(first.rows).all()


def test_the_queue_says_what_looks_unlike_everything_labelled(
    bench, model, finished_run, flashes, copy_of, rng, tmp_path
):
    looks = {"one.mp4": 0, "two.mp4": 0, "alike.mp4": 0, "unlike.mp4": 7}
    for number, (name, look) in enumerate(looks.items()):
        path = copy_of(flashes, name, tail=b"x" * number)
        stored = ingest_file(bench, path, domain="flashes").video
        run = finished_run(stored, model, flashes)
        video(rng, look, encoder="same").save(tmp_path / "sketch.npz")
        bench.storage.put_file(sketch_key(run.id), tmp_path / "sketch.npz")
        if name in ("one.mp4", "two.mp4"):
            add_label(bench, stored, "flashes", Event.point("flash", flashes.events[0].start_us))
            whole = TimeSpan(0, stored.duration_us)
            LabelDesk(bench).watch(stored.id, "flashes", whole, "ada")
    desk = ReviewDesk(bench, LabelDesk(bench))
    said = {
        (card.item.video.name, "novelty" in card.item.doubt.reasons)
        for card in desk.queue("flashes", limit=50).cards
        if card.item.event is not None
    }
    assert said == {("alike.mp4", False), ("unlike.mp4", True)}


@pytest.fixture
def video_file(bench, flashes):
    return ingest_file(bench, flashes.path, domain="flashes").video


@pytest.fixture
def model(add_bundle):
    return add_bundle()


def detect(bench, stored, model):
    prepared = prepare_detection(bench, DetectRequest(stored.id, model.id))
    run_detection(bench, prepared)
    return bench.catalog.detections.get(prepared.run.id)
