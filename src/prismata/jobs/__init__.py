"""Room: jobs. Heavy work as leased jobs, each attempt in one child process that can die alone."""

from prismata.jobs.engine import JobEngine
from prismata.jobs.live import LiveRun, Wish
from prismata.jobs.lost import Reaper
from prismata.jobs.runner import JobHandler, JobRunner
from prismata.jobs.supervisor import ChildSupervisor
from prismata.jobs.worker import Worker, WorkerTerms

__all__ = [
    "ChildSupervisor",
    "JobEngine",
    "JobHandler",
    "JobRunner",
    "LiveRun",
    "Reaper",
    "Wish",
    "Worker",
    "WorkerTerms",
]
