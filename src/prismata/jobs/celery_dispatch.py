"""Celery as the carrier of "look now", where several machines share a catalog.

A message is the id of a job, in the queue of its resource class. It is acknowledged on arrival:
what keeps a job from being lost is its row in the catalog, not the broker, so a broker that is
flushed, restarted or gone for an hour delays work and loses none.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from urllib.parse import urlsplit

from celery import Celery  # type: ignore[import-untyped]
from celery.signals import setup_logging, worker_shutting_down  # type: ignore[import-untyped]

from prismata.core.errors import UnavailableError
from prismata.core.jobs import ResourceClass

logger = logging.getLogger(__name__)

LOOK = "prismata.look"
"""Name of the one task."""

_SEND_SECONDS = 2.0


def make_app(broker_url: str) -> Celery:
    """Return a Celery application that can send and receive the one message.

    Raises:
        UnavailableError: If the broker is SQS, and what Celery reaches it with is not installed.
    """
    if broker_url.startswith("sqs:") and not (find_spec("boto3") and find_spec("pycurl")):
        raise UnavailableError(
            "PRISMATA_BROKER_URL names SQS, which takes boto3 and pycurl: "
            'pip install "celery[sqs]", or name a Redis or RabbitMQ'
        )
    app = Celery("prismata", broker=broker_url)
    app.conf.update(
        task_ignore_result=True,
        task_create_missing_queues=True,
        # A worker only passes the word on, which takes no time, and at once.
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_connect_timeout": _SEND_SECONDS},
        # Nobody is commanded over the broker; `prismata jobs` goes through the catalog.
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def reach_broker(broker_url: str) -> str:
    """Connect to the broker once and return which one answered, without any password.

    Raises:
        UnavailableError: If it does not answer within some seconds, or as `make_app`.
    """
    app = make_app(broker_url)
    address = urlsplit(broker_url)
    where = f"{address.scheme} at {address.hostname or 'the default host'}"
    try:
        with app.connection(connect_timeout=_SEND_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2 * _SEND_SECONDS)
    except Exception as error:
        reason = str(error).replace(address.password or "\0", "***") or type(error).__name__
        raise UnavailableError(
            f"the broker ({where}) does not answer: {reason}; check PRISMATA_BROKER_URL and that "
            "it runs. Jobs are not lost: workers look for them twice a second meanwhile"
        ) from error
    finally:
        app.close()
    return where


class CeleryDispatcher:
    """Sends the id of a job to whichever worker listens to its class first.

    Args:
        broker_url: `redis://…`, `amqp://…` or `sqs://…`.

    Raises:
        UnavailableError: As `make_app`.
    """

    def __init__(self, broker_url: str) -> None:
        self._app = make_app(broker_url)

    def begin(self) -> None:
        """Do nothing: workers look at what is queued by themselves when they start."""

    def announce(self, job_id: str, resource_class: ResourceClass) -> None:
        """Send the message in the background; a broker that is down is only noted."""
        threading.Thread(
            target=self._send, args=(job_id, resource_class), name="announce", daemon=True
        ).start()

    def _send(self, job_id: str, resource_class: ResourceClass) -> None:
        try:
            self._app.send_task(
                LOOK, args=[job_id], queue=resource_class.value, retry=False, ignore_result=True
            )
        except Exception as error:  # noqa: BLE001 - every broker has errors of its own
            logger.warning("job_not_announced job_id=%s reason=%s", job_id, error)

    def close(self) -> None:
        """Close the connections."""
        self._app.close()


def _keep_logging(**_facts: object) -> None:
    """Arrange nothing: `core.logs` has."""


def listen(
    broker_url: str,
    classes: Sequence[ResourceClass],
    *,
    on_word: Callable[[], None],
    on_stop: Callable[[], None],
) -> None:
    """Receive messages in this thread, which must be the main one, until SIGTERM or Ctrl-C.

    Args:
        broker_url: As for the dispatcher.
        classes: Whose queues to listen to.
        on_word: Called when a job was announced.
        on_stop: Called in a thread once this process is told to stop: Celery takes a while to let
            go of some brokers, and what runs must not wait for that.
    """
    app = make_app(broker_url)

    @app.task(name=LOOK)  # type: ignore[untyped-decorator]
    def look(job_id: str) -> None:
        logger.debug("job_announced job_id=%s", job_id)
        on_word()

    def stopping(**_facts: object) -> None:
        threading.Thread(target=on_stop, name="stop-worker").start()

    worker_shutting_down.connect(stopping)
    # A receiver of this signal means that logging is arranged; Celery adds nothing then.
    setup_logging.connect(_keep_logging)
    queues = ",".join(resource.value for resource in classes)
    app.worker_main(
        [
            "worker",
            "--pool=solo",
            f"--queues={queues}",
            f"--hostname=prismata-{os.getpid()}@%h",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ]
    )
