"""`prismata worker`: take jobs from the queue until told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from prismata.cli.console import announce
from prismata.core.errors import InvalidInputError
from prismata.jobs.serving import heed_spot_notice, serve_jobs
from prismata.settings import load_settings
from prismata.wiring import open_worker


def worker(
    cpu: Annotated[
        int | None, typer.Option(help="Detections and trainings at once; else the setting.", min=0)
    ] = None,
    gpu: Annotated[
        int | None, typer.Option(help="Trainings on the GPU at once; else the setting.", min=0)
    ] = None,
    io: Annotated[
        int | None, typer.Option(help="Preparations of videos at once; else the setting.", min=0)
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option(help="End after so many seconds without a job; else the setting.", min=0),
    ] = None,
) -> None:
    """Take jobs from the queue and run them, each in a process of its own.

    Ctrl-C or SIGTERM gives back what runs: a training saves a checkpoint first, and whoever takes
    it next goes on from there. So does the notice that a spot machine is to be taken away.
    """
    asked = {
        "worker_cpu_slots": cpu,
        "worker_gpu_slots": gpu,
        "worker_io_slots": io,
        "worker_idle_seconds": idle,
    }
    settings = load_settings().model_copy(
        update={name: value for name, value in asked.items() if value is not None}
    )
    offered = {kind: slots for kind, slots in settings.worker_slots.items() if slots}
    if not offered:
        raise InvalidInputError(
            "this worker has no slot for any job; give it one with --cpu, --gpu or --io"
        )
    bench, taking = open_worker(settings)
    with bench:
        if settings.spot == "aws":
            heed_spot_notice(taking, settings.spot_metadata_url)
        listed = ", ".join(f"{slots} {kind}" for kind, slots in offered.items())
        announce(
            f"takes jobs ({listed} at once) from {bench.catalog.where}; ends with Ctrl-C",
            settings.log_format,
        )
        broker = settings.broker_url if settings.dispatcher == "celery" else None
        serve_jobs(taking, list(offered), broker.get_secret_value() if broker else "")
    announce("stopped; what ran was given back", settings.log_format)
