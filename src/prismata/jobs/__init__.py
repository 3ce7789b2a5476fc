"""Room: jobs. Heavy work as leased jobs, each attempt in one child process that can die alone."""

from prismata.jobs.lease import JobStore
from prismata.jobs.live import LiveRun
from prismata.jobs.runner import JobRunner
from prismata.jobs.supervisor import ChildSupervisor

__all__ = ["ChildSupervisor", "JobRunner", "JobStore", "LiveRun"]
