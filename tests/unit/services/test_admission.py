"""Who is let in: decided from numbers, with no machine behind them but where it says so."""

from dataclasses import replace

import pytest

from prismata.core.errors import UnavailableError
from prismata.core.events import Event
from prismata.core.jobs import JobState
from prismata.core.runtimes import MachineFacts
from prismata.services.admission import (
    PROFILE_FIELDS,
    Arithmetic,
    admit,
    declared_mb,
    learned_mb,
    memory_need,
    wished_profile,
)
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.labels import add_label
from prismata.services.train import TrainRequest, prepare_training

AUTO = Arithmetic("auto", "auto")
FP32 = Arithmetic("onnxruntime", "fp32")
MB = 1024 * 1024
RESNET18 = {"fp32": 45 * MB, "int8": 11 * MB}
FAST = MachineFacts({"onnxruntime": "1"}, "x86_64", fast_int8=True, fast_bf16=True, cuda=False)
SLOW = replace(FAST, fast_int8=False)


@pytest.fixture
def model(add_bundle):
    return add_bundle()


@pytest.fixture
def hd(video):
    return replace(video, width=1280, height=720)


@pytest.mark.parametrize(
    ("precision", "size", "measured"),
    [("fp32", "fp32", 310), ("int8", "int8", 208), ("bf16", "fp32", 255)],
)
def test_what_is_declared_is_what_a_resnet18_was_measured_to_take(
    model, hd, precision, size, measured
):
    wanted = Arithmetic("auto", precision)
    need = declared_mb(model, wanted, "normal", hd, RESNET18[size], FAST)
    assert need == pytest.approx(measured, rel=0.02)


def test_torch_takes_most(model, hd):
    model = replace(model, kind="checkpoint")
    assert declared_mb(model, AUTO, "normal", hd, RESNET18["fp32"], FAST) == pytest.approx(
        900, 0.05
    )


def test_large_pictures_large_models_and_the_normal_profile_take_more(model, hd):
    def need(**changes):
        case = {"profile": "normal", "video": hd, "size": RESNET18["fp32"], **changes}
        return declared_mb(model, FP32, case["profile"], case["video"], case["size"], FAST)

    assert need(video=replace(hd, width=3840, height=2160)) > need() + 100
    assert need(size=200 * MB) > need() + 400
    assert need(profile="small") < need()


def test_automatic_precision_is_int8_where_the_card_and_the_processor_agree(
    bench, video, model, monkeypatch
):
    bench.storage.put(model.bundle_key + "encoder.onnx", bytes(8 * MB))
    bench.storage.put(model.bundle_key + "encoder_int8.onnx", bytes(2 * MB))

    def need(accepted, facts):
        monkeypatch.setattr("prismata.services.admission.machine_facts", lambda: facts)
        card = model.card | {"quantization": {"accepted": accepted}}
        return memory_need(bench, replace(model, card=card), video, AUTO, "normal").mb

    in_fp32 = need(accepted=False, facts=FAST)
    assert need(accepted=True, facts=SLOW) == in_fp32
    assert need(accepted=True, facts=FAST) == pytest.approx(in_fp32 - 18)


def run_that_took(bench, video, model, peak_rss_mb, **asked):
    run = bench.catalog.detections.start(video_id=video.id, model_id=model.id, settings={})
    used = {"runtime": "auto", "precision": "auto", "profile": "normal", **asked}
    return bench.catalog.detections.finish(
        run.id, [], peak_rss_mb=peak_rss_mb, settings={"asked": used}
    )


def learn(runs, *, profile="normal", pictures_mb=0.0):
    return learned_mb(runs, AUTO, profile, pictures_mb, lambda _run: 20.0)


def test_the_largest_run_of_the_same_kind_is_learned_from(bench, video, model):
    runs = [run_that_took(bench, video, model, peak) for peak in (200.0, 320.0, 250.0)]
    assert learn(runs, pictures_mb=20.0) == pytest.approx(320 * 1.1)
    assert learn(runs, pictures_mb=120.0) == pytest.approx(420 * 1.1)


@pytest.mark.parametrize(
    "asked",
    [
        {"precision": "int8"},
        {"runtime": "openvino"},
        {"profile": "small"},
        {"from_cache": True},
        {"measure_floors": True},
    ],
)
def test_runs_of_another_kind_teach_nothing(bench, video, model, asked):
    assert learn([run_that_took(bench, video, model, 200.0, **asked)]) is None


def test_failed_runs_and_runs_from_before_admission_teach_nothing(bench, video, model):
    good = run_that_took(bench, video, model, 200.0)
    assert learn([replace(good, state=JobState.FAILED)]) is None
    assert learn([replace(good, settings={})]) is None
    assert learn([replace(good, peak_rss_mb=None)]) is None
    assert learn([]) is None


@pytest.mark.parametrize(
    ("free", "held", "wished", "given"),
    [
        (10_000, 0, "normal", "normal"),
        (None, 0, "normal", "normal"),
        (10_000, 0, "small", "small"),
        (10_000, 0, "smallest", "smallest"),
        ("between", 0, "normal", "small"),
        (0, 10_000, "normal", "normal"),
    ],
)
def test_the_largest_profile_that_fits_is_given(bench, video, model, free, held, wished, given):
    normal, small = (
        memory_need(bench, model, video, AUTO, profile).mb for profile in ("normal", "small")
    )
    assert small < normal
    free = (small + normal) / 2 if free == "between" else free
    admission = admit(
        bench, model, video, AUTO, profile=wished, held_mb=held, available=lambda: free
    )
    assert admission.profile == given
    assert admission.need.source == "declared"


def test_too_little_memory_is_one_sentence(bench, video, model):
    with pytest.raises(UnavailableError) as caught:
        admit(bench, model, video, AUTO, profile="normal", available=lambda: 20.0)
    need = memory_need(bench, model, video, AUTO, "small").mb
    assert str(caught.value) == (
        f"detection on 'flashes.mp4' needs about {need:.0f} MB of memory (by the size of its "
        "model), and 20 MB are free; close other programs, or use a smaller model"
    )


def test_a_refusal_leaves_no_job_and_no_run(bench, video, model, monkeypatch):
    monkeypatch.setattr(
        "prismata.services.detect.admit",
        lambda *args, **options: admit(*args, **options, available=lambda: 1.0),
    )
    with pytest.raises(UnavailableError, match="close other programs"):
        prepare_detection(bench, DetectRequest("flashes.mp4"))
    assert bench.catalog.jobs.list() == []
    assert bench.catalog.detections.list() == []


def test_a_real_run_is_learned_from(bench, video, model):
    prepared = prepare_detection(bench, DetectRequest("flashes.mp4"))
    assert prepared.admission.need.source == "declared"
    outcome = run_detection(bench, prepared)
    assert outcome.state is JobState.SUCCEEDED
    run = bench.catalog.detections.get(prepared.run.id)
    again = prepare_detection(bench, DetectRequest("flashes.mp4"))
    assert again.admission.need.source == "learned"
    assert again.admission.need.mb == pytest.approx(run.peak_rss_mb * 1.1)


def test_the_setting_says_which_profile_is_wished_for():
    assert wished_profile("small") == "small"
    assert wished_profile("normal") == "normal"
    assert wished_profile("auto") in ("small", "normal")
    assert PROFILE_FIELDS["smallest"]["threads"] == 1


def test_a_training_asks_for_what_those_like_it_took(bench, video):
    def asked(**recipe):
        prepared = prepare_training(bench, TrainRequest("flashes", recipe))
        bench.catalog.jobs.request_cancel(prepared.job.id)
        return prepared.job.needs_mb

    add_label(bench, video, "flashes", Event.point("flash", 500_000))
    declared = asked(encoder="tiny", frozen=False)
    assert declared > asked(encoder="tiny") > 300
    for peak, encoder in ((700, "tiny"), (640, "tiny"), (2000, "resnet18")):
        job = prepare_training(
            bench, TrainRequest("flashes", {"encoder": encoder, "frozen": False})
        ).job
        token = bench.catalog.leases.claim(job.id, lease_seconds=60).lease_token
        bench.catalog.leases.end_attempt(
            job.id, token, state=JobState.SUCCEEDED, result={}, peak_rss_mb=peak
        )
    assert asked(encoder="tiny", frozen=False) == pytest.approx(770)
    assert asked(encoder="resnet18", frozen=False) == pytest.approx(2200)
    assert asked(encoder="tiny") < 1000, "a frozen encoder is another training"
