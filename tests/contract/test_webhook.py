"""A webhook tells of runs that ended, and never delays or fails one."""

import hashlib
import hmac
import json
import logging
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from prismata.catalog import open_catalog
from prismata.core.errors import InvalidInputError
from prismata.core.jobs import FailureCause, JobState
from prismata.jobs.webhook import Webhook
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.ingest import ingest_file
from prismata.settings import Settings, load_settings
from prismata.testing.children import PATIENCE_SECONDS
from prismata.wiring import open_workbench


class Listener(ThreadingHTTPServer):
    """A server that answers as it was told, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self, answers=(), location=""):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.location = location
        self.heard = []
        self.let_go = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook/secret-path"

    def wait_for(self, count):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.heard) < count:
            assert time.monotonic() < deadline, f"heard {len(self.heard)} of {count}"
            time.sleep(0.02)
        return self.heard


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, self.headers, body))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer == "hang":
            self.server.let_go.wait(PATIENCE_SECONDS)
            return
        self.send_response(answer)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the name that the server looks for

    def log_message(self, *_):
        pass


@contextmanager
def listening(*answers, location=""):
    server = Listener(answers, location)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def catalog(tmp_path):
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


def end(catalog, state=JobState.SUCCEEDED, kind="detect", **more):
    job = catalog.jobs.submit(kind, {"video": "a.mp4", "model": "m"}, author="ada")
    claimed = catalog.leases.claim(job.id, lease_seconds=60)
    return catalog.leases.end_attempt(job.id, claimed.lease_token, state=state, **more)


def hook(catalog, server, **options):
    made = Webhook(server.url, **{"pauses_seconds": (0.01, 0.01, 0.01), **options})
    catalog.job_ends.listen(made.job_ended)
    return made


def test_every_way_to_end_is_told_once_and_signed(catalog):
    with listening() as server:
        made = hook(catalog, server, secret="s3cret")
        good = end(catalog, result={"events": 3})
        bad = end(catalog, JobState.FAILED, cause=FailureCause.USER_ERROR, message="too short")
        end(catalog, kind="prepare")
        waiting = catalog.jobs.submit("detect", {}, author="ada")
        catalog.jobs.request_cancel(waiting.id)
        again = catalog.jobs.submit("detect", {}, author="ada")
        token = catalog.leases.claim(again.id, lease_seconds=60).lease_token
        lost = {"state": JobState.FAILED, "cause": FailureCause.CRASHED, "message": "gone"}
        catalog.leases.end_attempt(again.id, token, **lost)  # it is tried again: no end
        server.wait_for(3)
        made.close()
        assert len(server.heard) == 3
    told = []
    for path, headers, body in server.heard:
        assert path == "/hook/secret-path"
        assert headers["Content-Type"] == "application/json"
        expected = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert headers["X-Prismata-Signature"] == f"sha256={expected}"
        told.append(json.loads(body))
    assert len({message["id"] for message in told}) == 3
    runs = [message["run"] for message in told]
    assert [(run["job_id"], run["state"], run["cause"]) for run in runs] == [
        (good.id, "succeeded", None),
        (bad.id, "failed", "user_error"),
        (waiting.id, "cancelled", None),
    ]
    assert (runs[0]["video"], runs[0]["model"], runs[0]["author"]) == ("a.mp4", "m", "ada")
    assert runs[0]["result"] == {"events": 3}
    assert runs[1]["message"] == "too short"


def test_a_job_that_is_taken_back_for_the_last_time_is_told_by_whoever_took_it(catalog):
    with listening() as server:
        hook(catalog, server)
        job = catalog.jobs.submit("detect", {}, author="ada")
        for _ in range(4):
            catalog.leases.claim(job.id, lease_seconds=60)
            catalog.leases.reap(lambda *_: True)
        (_, _, body) = server.wait_for(1)[0]
        assert json.loads(body)["run"]["cause"] == "lost"


def test_an_address_that_fails_first_is_asked_again_and_gets_the_same(catalog, caplog):
    caplog.set_level(logging.INFO, "prismata.jobs.webhook")
    with listening(500, 429, 200) as server:
        made = hook(catalog, server)
        end(catalog)
        server.wait_for(3)
        made.close()
    assert len({body for _, _, body in server.heard}) == 1
    assert "webhook_delivered" in caplog.text
    assert "X-Prismata-Signature" not in server.heard[0][1]


@pytest.mark.parametrize(("answers", "tries"), [((404,), 1), ((500,) * 9, 4)])
def test_an_address_that_does_not_want_it_is_left_alone_with_a_line_in_the_log(
    catalog, caplog, answers, tries
):
    with listening(*answers) as server:
        made = hook(catalog, server)
        end(catalog)
        server.wait_for(tries)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "webhook_failed" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        made.close()
        assert len(server.heard) == tries
    assert f"answered {answers[0]}" in caplog.text
    assert "secret-path" not in caplog.text


def test_redirects_are_not_followed(catalog, caplog):
    with listening() as other, listening(302, location=other.url) as server:
        made = hook(catalog, server)
        end(catalog)
        server.wait_for(1)
        made.close()
        assert other.heard == []
    assert "answered 302" in caplog.text


def test_an_address_that_hangs_holds_nothing_up(catalog, caplog):
    with listening("hang", "hang", "hang", "hang") as server:
        made = hook(catalog, server, timeout_seconds=600)
        states = [end(catalog).state for _ in range(5)]
        assert states == [JobState.SUCCEEDED] * 5
        server.wait_for(1)
        made.close(timeout_seconds=0.1)
        assert "webhook_gave_up" in caplog.text
        assert "messages=5" in caplog.text


def test_an_answer_that_does_not_come_is_not_waited_for(catalog):
    with listening("hang", 200) as server:
        made = hook(catalog, server, timeout_seconds=0.2)
        end(catalog)
        server.wait_for(2)
        made.close()


def test_an_address_where_nobody_is_fails_no_run(catalog, caplog):
    with listening() as server:
        url = server.url
    made = Webhook(url, pauses_seconds=(0.01,))
    catalog.job_ends.listen(made.job_ended)
    assert end(catalog).state is JobState.SUCCEEDED
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "webhook_failed" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "cannot be reached" in caplog.text


@pytest.mark.logs_errors
def test_a_listener_that_breaks_is_logged_and_the_end_stands(catalog, caplog):
    catalog.job_ends.listen(lambda job: 1 / 0)
    assert end(catalog).state is JobState.SUCCEEDED
    assert "job_end_listener_broke" in caplog.text


def test_a_detection_of_the_whole_program_is_told_before_it_closes(
    bench, settings, flashes, add_bundle
):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    model = add_bundle()
    with listening() as server:
        told = settings.model_copy(update={"webhook_url": SecretStr(server.url)})
        with open_workbench(told) as telling:
            prepared = prepare_detection(telling, DetectRequest(video.id, model.id))
            assert run_detection(telling, prepared).state is JobState.SUCCEEDED
        ((_, _, body),) = server.heard
    run = json.loads(body)["run"]
    assert (run["video"], run["model"]) == (video.name, model.name)
    assert run["result"]["run_id"] == prepared.run.id
    assert run["result"]["events"] == len(flashes.events)


@pytest.mark.parametrize("address", ["ftp://a/b", "file:///etc/passwd", "http://", "a.example"])
def test_only_an_address_of_the_web_can_be_told_and_it_is_not_repeated(monkeypatch, address):
    monkeypatch.setenv("PRISMATA_WEBHOOK_URL", address)
    with pytest.raises(InvalidInputError, match="PRISMATA_WEBHOOK_URL") as caught:
        load_settings()
    assert "must be an http:// or https:// address" in str(caught.value)


def test_children_are_not_told_of_it():
    request = Settings(webhook_url="https://a.example/x", webhook_secret="s3cret").to_request()
    assert (request["webhook_url"], request["webhook_secret"]) == ("", "")
