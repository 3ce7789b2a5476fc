"""The classic hooks of a domain: model and datasets from its declaration."""

import numpy as np
import pytest
import torch

from prismata.core.errors import InvalidInputError
from prismata.core.time import FrameTimeline
from prismata.detection.frames import FrameBatches
from prismata.detection.windows import WindowBuffer
from prismata.domains import ClipSpec, Domain, DomainRegistry, EventType, register_domain


@pytest.fixture(params=[(4, 1, 20), (3, 2, 45), (5, 4, 7.5)], ids=str)
def domain(request):
    num_frames, stride, rate = request.param

    @register_domain
    class Blinks(Domain):
        name = "blinks"
        event_types = (EventType("flash"), EventType("dark", "segment"))
        clip = ClipSpec(
            target_fps=rate, num_frames=num_frames, window_stride=stride, width=32, height=16
        )
        tolerance_seconds = 0.01

    return DomainRegistry.get("blinks")


def windows_of_detection(domain, video):
    """What a production scorer is given, cut by its own buffer."""
    clip = domain.clip
    plan = video.timeline.sample(clip.target_fps)
    buffer = WindowBuffer(clip.num_frames, clip.window_stride)
    size = (clip.width, clip.height)
    batches = FrameBatches(video.path, plan, timeline=video.timeline, size=size, batch=8)
    windows = [buffer.push(np.repeat(batch.frames, batch.repeats, axis=0)) for batch in batches]
    windows.append(buffer.finish())
    return [
        (int(plan.times_us[centre]), window)
        for part in windows
        for centre, window in zip(part.centres, part.items, strict=True)
    ]


@pytest.mark.parametrize("name", ["flashes", "uneven_flashes"])
def test_inference_sees_the_windows_that_detection_sees(request, domain, name):
    video = request.getfixturevalue(name)
    ours = list(domain.create_inference_dataset(video.path))
    theirs = windows_of_detection(domain, video)
    assert [time for time, _ in ours] == [time for time, _ in theirs]
    assert all(
        np.array_equal(mine.numpy(), other)
        for (_, mine), (_, other) in zip(ours, theirs, strict=True)
    )
    assert ours[0][1].dtype == torch.uint8


def test_a_training_dataset_pairs_windows_with_what_is_true_at_their_centre(domain, flashes):
    dataset = domain.create_dataset({flashes.path: flashes.events}, [flashes.path])
    inference = list(domain.create_inference_dataset(flashes.path))
    assert len(dataset) == len(inference)
    step = 1_000_000 / domain.clip.target_fps
    positive = 0
    for number in range(0, len(dataset), max(1, len(dataset) // 12)):
        frames, targets = dataset[number]
        time, window = inference[number]
        assert torch.equal(frames, window)
        near = any(abs(time - event.start_us) <= 1.4 * step for event in flashes.events)
        far = all(abs(time - event.start_us) > 1.6 * step for event in flashes.events)
        if near or far:
            assert targets.tolist() == [float(near), 0.0], (number, time)
        positive += int(targets[0])
    assert sum(int(item[3][0]) for item in dataset._items) > 0


def test_a_model_takes_windows_and_gives_one_logit_an_event_type(domain):
    model = domain.create_model({"encoder": "tiny", "head": {"hidden": 8}}).eval()
    clip = domain.clip
    with torch.inference_mode():
        logits = model(torch.zeros(2, clip.num_frames, 3, clip.height, clip.width))
    assert logits.shape == (2, 2)


def test_an_unknown_setting_of_a_model_is_refused(domain):
    with pytest.raises(InvalidInputError, match="no setting 'depth'"):
        domain.create_model({"depth": 3})


def test_a_video_without_labels_is_all_background(domain, flashes):
    dataset = domain.create_dataset({}, [flashes.path])
    assert sum(float(item[3].sum()) for item in dataset._items) == 0
    assert isinstance(dataset._items[0][1], FrameTimeline)
