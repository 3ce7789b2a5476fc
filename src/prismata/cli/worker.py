"""`prismata worker`: take jobs from the queue until told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from prismata.cli.console import announce
from prismata.core.errors import InvalidInputError
from prismata.core.jobs import ResourceClass
from prismata.jobs.serving import heed_spot_notice, serve_jobs
from prismata.settings import Settings, load_settings
from prismata.wiring import open_worker


def worker(
    classes: Annotated[
        list[ResourceClass] | None,
        typer.Option(
            "--class",
            help="Take jobs of this class only, one at once unless setting or option say more; "
            "repeat it for more classes.",
        ),
    ] = None,
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

    A machine that is there for its GPU runs `prismata worker --class gpu`, and nothing else.

    Ctrl-C or SIGTERM gives back what runs: a training saves a checkpoint first, and whoever takes
    it next goes on from there. So does the notice that a spot machine is to be taken away.
    """
    settings = load_settings()
    slots = _slots(
        settings,
        {ResourceClass.CPU: cpu, ResourceClass.GPU: gpu, ResourceClass.IO: io},
        classes or list(ResourceClass),
        at_least=1 if classes else 0,
    )
    changes: dict[str, float] = {f"worker_{kind}_slots": count for kind, count in slots.items()}
    if idle is not None:
        changes["worker_idle_seconds"] = idle
    settings = settings.model_copy(update=changes)
    offered = {kind: slots for kind, slots in settings.worker_slots.items() if slots}
    if not offered:
        raise InvalidInputError(
            "this worker has no slot for any job; give it one with --class, --cpu, --gpu or --io"
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


def _slots(
    settings: Settings,
    asked: dict[ResourceClass, int | None],
    classes: list[ResourceClass],
    *,
    at_least: int,
) -> dict[ResourceClass, int]:
    """Return how many jobs of each class are taken at once.

    Raises:
        InvalidInputError: If slots are asked for in a class that is left out.
    """
    slots = {}
    for kind, count in asked.items():
        if kind not in classes:
            if count:
                raise InvalidInputError(
                    f"--{kind} {count} asks for jobs that --class leaves out; "
                    f"add --class {kind}, or leave --{kind} out"
                )
            slots[kind] = 0
        elif count is None:
            slots[kind] = max(at_least, settings.worker_slots[kind])
        else:
            slots[kind] = count
    return slots
