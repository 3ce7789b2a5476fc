"""Videos that go from the browser straight to the store, past the workbench, whatever happens."""

import hashlib
import time
from functools import cache
from urllib.parse import parse_qs, urlsplit

import botocore.loaders
import botocore.session
import pytest

from prismata.services.uploads import PIECE_BYTES
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server
from prismata.testing.synth import render_flashes

pytestmark = pytest.mark.s3

PARTS = 5


@pytest.fixture(scope="module")
def store():
    with LocalS3Server().running() as running:
        yield running


@pytest.fixture
def settings(settings, store, monkeypatch):
    """The settings of the test, with a bucket of its own as storage, for the workbench as well."""
    store.fault = lambda method, path: ""
    store.longest_address_seconds = float("inf")
    store.requests.clear()
    chosen = {
        "storage_backend": "s3",
        "s3_bucket": store.make_bucket(),
        "s3_endpoint_url": store.endpoint_url,
    }
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name, value in chosen.items():
        monkeypatch.setenv(f"PRISMATA_{name.upper()}", value)
    monkeypatch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
    return settings.model_copy(update=chosen)


@pytest.fixture
def film(tmp_path):
    """A video of five parts: a box that players pass over makes it large."""
    path = render_flashes(tmp_path / "film.mp4", seconds=2, seed=1, size=(96, 64)).path
    filler = (PARTS - 1) * PIECE_BYTES
    with path.open("ab") as target:
        target.write((8 + filler).to_bytes(4, "big") + b"free" + bytes(filler))
    return path


@pytest.fixture
def sent_to_workbench(page, server):
    """Lengths of everything that the page sends to the workbench."""
    lengths = []
    page.on(
        "request",
        lambda asked: (
            lengths.append(len(asked.post_data_buffer or b""))
            if asked.url.startswith(server.url)
            else None
        ),
    )
    return lengths


def choose(page, server, path):
    page.set_default_timeout(90_000)  # forty megabytes, sent, read back and copied
    page.goto(f"{server.url}/detect")
    page.get_by_text("From this computer", exact=True).click()
    page.get_by_text("Choose videos", exact=True).wait_for()
    page.locator("input[accept^=video]").set_input_files(str(path))


def test_interrupted_twice_it_ends_with_the_right_digest_and_the_workbench_gets_no_byte_of_it(
    page, server, bench, store, film, add_bundle, sent_to_workbench
):
    """An answer of the store is lost; then the browser is closed while the store is busy."""
    add_bundle()
    faults = ["", "lost", "busy"]

    def fault(method, path):
        if method != "PUT" or "/uploads/" not in path or not faults:
            return ""
        return faults.pop(0) if len(faults) > 1 else faults[0]

    store.fault = fault
    sent = []
    page.on("request", lambda asked: sent.append(part_of(asked, store)))
    choose(page, server, film)
    page.wait_for_function(
        f"() => window.__prismataUploads?.uploads[0]?.offset >= {2 * PIECE_BYTES}"
    )
    page.get_by_text("connection lost, trying again").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    faults.clear()
    before = len(sent)
    choose(page, server, film)
    page.locator(".files .done", has_text="film.mp4").wait_for()
    video = bench.catalog.videos.find("film.mp4")
    assert video.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    assert bench.storage.digest(video.storage_key) == video.sha256
    assert [number for number in sent[before:] if number] == [3, 4, 5], "what was there stays"
    assert sum(sent_to_workbench) < 100_000
    assert list(bench.storage.list("uploads/")) == []


def test_an_address_whose_time_is_over_is_asked_for_anew_and_what_is_there_stays(
    page, server, bench, store, film, add_bundle
):
    """All five addresses come at once and are good for two seconds; a slow line needs longer."""
    add_bundle()
    store.longest_address_seconds = 2

    def slow(method, path):
        if method == "PUT" and "/uploads/" in path:
            time.sleep(1)
        return ""

    store.fault = slow
    answers = []
    page.on(
        "response",
        lambda told: answers.append((part_of(told.request, store), told.status)),
    )
    asked = []
    page.on("request", lambda told: asked.append(told.url) if "/parts" in told.url else None)
    choose(page, server, film)
    page.locator(".files .done", has_text="film.mp4").wait_for()
    parts = [(number, status) for number, status in answers if number]
    assert 403 in [status for _, status in parts], "an address was over"
    taken = [number for number, status in parts if status == 200]
    assert taken == [1, 2, 3, 4, 5], "each part was sent once, in order"
    assert len([url for url in asked if url.endswith("/parts")]) >= 2
    video = bench.catalog.videos.find("film.mp4")
    assert video.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()


def test_where_the_browser_cannot_reach_the_store_it_says_so_and_goes_through_the_workbench(
    page, server, bench, store, film, add_bundle
):
    add_bundle()
    store.fault = lambda method, path: "denied" if method == "OPTIONS" else ""
    choose(page, server, film)
    page.get_by_text("This browser cannot send to the store itself").wait_for()
    page.locator(".files .done", has_text="film.mp4").wait_for()
    assert not [path for method, path in store.requests if method == "PUT" and "/uploads/" in path]
    video = bench.catalog.videos.find("film.mp4")
    assert video.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    assert bench.storage.remove_leftovers(older_than_seconds=-60) == 0


def part_of(asked, store):
    """Return the number of the part that a page sends to the store; 0 if it asks something else."""
    if asked.method != "PUT" or not asked.url.startswith(store.endpoint_url):
        return 0
    return int(parse_qs(urlsplit(asked.url).query)["partNumber"][0])
