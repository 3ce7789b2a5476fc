"""GPU machines that come and go, simulated by the rules that Terraform really sets.

The job table is a real catalog with a clock of the simulation; the metric is what the app's machine
tells from it. The group and its metrics are moto's Auto Scaling and CloudWatch. What AWS does with
the rules (alarms, target tracking, group metrics, replacing machines) and what a machine does
(starting, taking jobs, leaving when idle) is played in steps of some seconds; the rules themselves
come from `gpu_fleet_rules`. Told are starts, ends, what must not happen, and dollars. How long a
machine takes to start and how long a job runs are assumptions, given as options, not measurements:
no GPU was at hand. Ends with one line of JSON.

    python benchmarks/gpu_fleet.py [--boot-minutes 5] [--job-minutes 2] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from gpu_fleet_rules import Metric, MissingDataError, Rules, evaluate, read_rules
from moto import mock_aws

from prismata.catalog import JobRecord, Offer, open_catalog
from prismata.core.jobs import FailureCause, JobState, ResourceClass

STEP_SECONDS = 15.0
LEASE_SECONDS = 90.0
MINUTE = 60.0
TRACKING_PERIODS = 3
"""Target tracking looks at three minutes before it adds machines (AWS, "Target tracking")."""
SPOT_NOTICE_SECONDS = 120.0
SAVE_SECONDS = 15.0
"""From the notice until the job is given back: the worker asks every 5 s, and saves."""
FLAP_SECONDS = 900.0
OURS = "Prismata"
AWS_GROUP = "AWS/AutoScaling"
GROUP = "simulated-gpu"
KIND = "train"


@dataclass(frozen=True)
class Scenario:
    """What is asked of the machines."""

    name: str
    hours: float
    jobs: Sequence[tuple[float, float]]
    """Minute at which it is queued, and minutes that it runs."""
    boot_minutes: float
    metric_delay_minutes: int = 1
    """How late CloudWatch shows what was told."""
    taken_every_minutes: float = 0.0
    """A spot machine is taken away about so often; 0 = never."""
    seed: int = 1


@dataclass
class Machine:
    """One instance of the group."""

    id: str
    started: float
    ready: float
    job: JobRecord | None = None
    idle_since: float = 0.0
    worker_ended: bool = False
    notice_at: float = -1.0
    next_look: float = 0.0


@dataclass
class Report:
    """What happened."""

    scenario: str
    starts: int = 0
    left_idle: int = 0
    taken_away: int = 0
    most_machines: int = 0
    jobs: int = 0
    finished_once: int = 0
    machine_hours: float = 0.0
    job_hours: float = 0.0
    longest_wait_minutes: float = 0.0
    ends_with: int = -1
    """Machines at the end."""
    broken: list[str] = field(default_factory=list)
    """What must not be."""

    def dollars(self, rules: Rules) -> dict[str, float]:
        """Return what it cost at the prices stated, also for each hundred jobs."""
        per_job = 100 / max(1, self.jobs)
        spot, full = (
            self.machine_hours * price for price in (rules.spot_dollars, rules.on_demand_dollars)
        )
        return {
            "spot": round(spot, 2),
            "spot_per_100_jobs": round(spot * per_job, 2),
            "on_demand_per_100_jobs": round(full * per_job, 2),
        }


class Simulation:
    """One scenario, from an empty group to an empty group.

    Args:
        scenario: What is asked.
        rules: What decides.
        folder: For the catalog.
    """

    def __init__(self, scenario: Scenario, rules: Rules, folder: Path) -> None:
        self.scenario, self.rules = scenario, rules
        self.report = Report(scenario.name, jobs=len(scenario.jobs))
        self._dice = random.Random(scenario.seed)  # noqa: S311 - a dice
        self._begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=1)
        self._now = 0.0
        self._stack = ExitStack()
        self._catalog = self._stack.enter_context(
            open_catalog(f"sqlite:///{folder / 'catalog.db'}", clock=self._clock)
        )
        self._stack.enter_context(mock_aws())
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        self._group: Any = session.client("autoscaling")
        self._watch: Any = session.client("cloudwatch")
        self._ec2: Any = session.client("ec2")
        self._machines: dict[str, Machine] = {}
        self._left: dict[str, float] = {}
        """Job → seconds that it still has to run: trainings go on where they were."""
        self._asked_at: dict[str, float] = {}
        self._submitted_at: list[float] = []
        self._idle_leaves: list[float] = []
        self._replacements = 0
        """Machines that the group starts for those that were taken, with or without work."""
        self._good: Counter[str] = Counter()
        self._waiting = sorted(scenario.jobs)

    def run(self) -> Report:
        """Play it; return what happened."""
        with self._stack:
            self._make_group()
            end = self.scenario.hours * 3600
            while self._now < end:
                self._step()
                self._now += STEP_SECONDS
            self._end()
        return self.report

    def _step(self) -> None:
        while self._waiting and self._waiting[0][0] * MINUTE <= self._now:
            self._submit(self._waiting.pop(0)[1])
        for machine in list(self._machines.values()):
            self._live(machine)
        if self._now % self.rules.metric_every_seconds < STEP_SECONDS:
            self._tell(OURS, "OpenGpuJobs", self._open_jobs())
        if self._now % MINUTE < STEP_SECONDS:
            self._tell_of_group()
            self._decide()
            self._see_group()

    def _submit(self, minutes: float) -> None:
        job = self._catalog.jobs.submit(
            KIND, {}, author="simulation", resource_class=ResourceClass.GPU
        )
        self._left[job.id] = minutes * MINUTE
        self._asked_at[job.id] = self._now
        self._submitted_at.append(self._now)

    def _live(self, machine: Machine) -> None:
        """Let a machine do what it does in one step."""
        if self._now < machine.ready:
            return
        self._maybe_take(machine)
        if machine.notice_at >= 0:
            if machine.job is not None and self._now >= machine.notice_at + SAVE_SECONDS:
                self._give_back(machine)
            if self._now >= machine.notice_at + SPOT_NOTICE_SECONDS:
                self._take_away(machine)
            return
        if machine.job is not None:
            self._work(machine)
        elif not machine.worker_ended:
            self._look_for_work(machine)
        if machine.worker_ended and self._now >= machine.next_look:
            machine.next_look = self._now + self.rules.leave_every_seconds
            self._leave(machine)

    def _look_for_work(self, machine: Machine) -> None:
        offer = Offer((KIND,), (ResourceClass.GPU,))
        leases = self._catalog.leases
        if leases.has_queued(offer):
            machine.job = leases.claim_next(offer, LEASE_SECONDS)
        if machine.job is not None:
            waited = (self._now - self._asked_at[machine.job.id]) / MINUTE
            longest = self.report.longest_wait_minutes
            self.report.longest_wait_minutes = round(max(longest, waited), 1)
        elif self._now - machine.idle_since >= self.rules.idle_seconds:
            machine.worker_ended = True
            first = machine.started + self.rules.leave_after_boot_seconds
            machine.next_look = max(self._now, first)

    def _work(self, machine: Machine) -> None:
        job = machine.job
        if job is None or job.lease_token is None:
            raise AssertionError("a machine works on nothing")
        self._left[job.id] -= STEP_SECONDS
        self.report.job_hours += STEP_SECONDS / 3600
        if self._left[job.id] > 0:
            if self._now % (LEASE_SECONDS / 3) < STEP_SECONDS:
                self._catalog.leases.heartbeat(job.id, job.lease_token, lease_seconds=LEASE_SECONDS)
            return
        self._catalog.leases.end_attempt(job.id, job.lease_token, state=JobState.SUCCEEDED)
        self._good[job.id] += 1
        machine.job, machine.idle_since = None, self._now

    def _maybe_take(self, machine: Machine) -> None:
        every = self.scenario.taken_every_minutes * MINUTE
        if every and machine.notice_at < 0 and self._dice.random() < STEP_SECONDS / every:
            machine.notice_at = self._now

    def _give_back(self, machine: Machine) -> None:
        job, machine.job = machine.job, None
        if job is None or job.lease_token is None:
            return
        self._catalog.leases.end_attempt(
            job.id, job.lease_token, state=JobState.FAILED, cause=FailureCause.PREEMPTED
        )
        self._asked_at[job.id] = self._now

    def _take_away(self, machine: Machine) -> None:
        self.report.taken_away += 1
        self._replacements += not self.rules.taken_lowers
        self._terminate(machine, lowers=self.rules.taken_lowers)

    def _leave(self, machine: Machine) -> None:
        self.report.left_idle += 1
        self._idle_leaves.append(self._now)
        self._terminate(machine, lowers=self.rules.leaving_lowers)

    def _terminate(self, machine: Machine, *, lowers: bool) -> None:
        if machine.job is not None:
            self.report.broken.append(f"{machine.id} ended with a job at {self._now / 60:.0f} min")
        before = self._desired()
        self._group.terminate_instance_in_auto_scaling_group(
            InstanceId=machine.id, ShouldDecrementDesiredCapacity=lowers
        )
        if self._desired() != before - lowers:
            self.report.broken.append(f"the group's number went from {before} to {self._desired()}")
        self._end_of(machine)
        self._see_group()  # the group may have started another one in its place

    def _end_of(self, machine: Machine) -> None:
        del self._machines[machine.id]
        self.report.machine_hours += (self._now - machine.started) / 3600

    def _decide(self) -> None:
        """Do what AWS does with alarm and policies, once a minute."""
        rules, before = self.rules, self._desired()
        wanted = before
        if all(self._is_alarmed(ago) for ago in range(rules.first_periods)):
            wanted = rules.first_to
        tracked = [
            evaluate(rules.more_value, {name: found or 0.0 for name, found in values.items()})
            for values in (self._values(rules.more_metrics, ago) for ago in range(TRACKING_PERIODS))
        ]
        if all(value > rules.more_target for value in tracked):
            in_service = self._values(rules.more_metrics, 0)["machines"] or 0.0
            needed = -int(-in_service * tracked[0] // rules.more_target)
            wanted = max(wanted, needed)
        elif rules.more_scales_in and all(value < rules.more_target for value in tracked):
            wanted = min(wanted, before - 1)
        wanted = max(rules.min_machines, min(wanted, rules.max_machines))
        if wanted < before:
            self.report.broken.append(f"a policy lowered {before} to {wanted}")
        if wanted != before:
            self._group.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=wanted)

    def _is_alarmed(self, ago: int) -> bool:
        values = self._values(self.rules.first_metrics, ago)
        try:
            return evaluate(self.rules.first_when, values) >= self.rules.first_threshold
        except MissingDataError:
            return False  # as `treat_missing_data` says

    def _values(self, metrics: Mapping[str, Metric], ago: int) -> dict[str, float | None]:
        return {name: self._told(metric, ago) for name, metric in metrics.items()}

    def _told(self, metric: Metric, ago: int) -> float | None:
        """Return a statistic of the minute that CloudWatch shows `ago` minutes before its last."""
        end = self._clock() - timedelta(
            minutes=ago + self.scenario.metric_delay_minutes - 1, seconds=self._now % MINUTE
        )
        space = AWS_GROUP if metric.namespace == AWS_GROUP else OURS
        found = self._watch.get_metric_statistics(
            Namespace=space,
            MetricName=metric.name,
            StartTime=end - timedelta(minutes=1),
            EndTime=end,
            Period=60,
            Statistics=[metric.statistic],
        )["Datapoints"]
        return float(found[0][metric.statistic]) if found else None

    def _tell(self, space: str, name: str, value: float) -> None:
        datum: Any = {"MetricName": name, "Value": value, "Timestamp": self._clock()}
        self._watch.put_metric_data(Namespace=space, MetricData=[datum])

    def _tell_of_group(self) -> None:
        """Tell what the group tells each minute, while it collects metrics."""
        in_service = sum(self._now >= item.started + MINUTE for item in self._machines.values())
        self._tell(AWS_GROUP, "GroupDesiredCapacity", self._desired())
        self._tell(AWS_GROUP, "GroupInServiceInstances", in_service)

    def _open_jobs(self) -> int:
        """Count as `prismata-metric` does: queued and running jobs that want a GPU."""
        jobs = self._catalog.jobs
        active = [*jobs.list(state=JobState.RUNNING), *jobs.list(state=JobState.QUEUED)]
        return sum(job.resource_class is ResourceClass.GPU for job in active)

    def _make_group(self) -> None:
        image = self._ec2.describe_images()["Images"][0]["ImageId"]
        self._ec2.create_launch_template(
            LaunchTemplateName="gpu", LaunchTemplateData={"ImageId": image}
        )
        self._group.create_auto_scaling_group(
            AutoScalingGroupName=GROUP,
            LaunchTemplate={"LaunchTemplateName": "gpu", "Version": "$Latest"},
            MinSize=self.rules.min_machines,
            MaxSize=self.rules.max_machines,
            DesiredCapacity=0,
            AvailabilityZones=["us-east-1a"],
            NewInstancesProtectedFromScaleIn=self.rules.is_protected,
        )

    def _described(self) -> dict[str, Any]:
        told = self._group.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
        (group,) = told["AutoScalingGroups"]
        return dict(group)

    def _desired(self) -> int:
        return int(self._described()["DesiredCapacity"])

    def _see_group(self) -> None:
        """Start machines that the group has made, and look what it holds."""
        held = self._described()["Instances"]
        for instance in held:
            if instance["InstanceId"] not in self._machines:
                self._start(instance["InstanceId"])
            if not instance["ProtectedFromScaleIn"]:
                self.report.broken.append(f"{instance['InstanceId']} is not protected")
        gone = set(self._machines) - {instance["InstanceId"] for instance in held}
        for name in gone:
            self.report.broken.append(f"the group took {name} away by itself")
            self._end_of(self._machines[name])
        self.report.most_machines = max(self.report.most_machines, len(held))

    def _start(self, name: str) -> None:
        ready = self._now + self.scenario.boot_minutes * MINUTE
        self._machines[name] = Machine(name, self._now, ready, idle_since=ready)
        self.report.starts += 1
        if self._replacements:
            self._replacements -= 1
            return
        for left in self._idle_leaves:
            was_asked = any(left - MINUTE <= at <= self._now for at in self._submitted_at)
            if self._now - left < FLAP_SECONDS and not was_asked:
                self.report.broken.append(
                    f"started {(self._now - left) / 60:.0f} min after a leave"
                )

    def _end(self) -> None:
        for machine in list(self._machines.values()):
            self._end_of(machine)
        self.report.ends_with = len(self._described()["Instances"]) + self._desired()
        states = [self._catalog.jobs.get(name).state for name in self._left]
        self.report.finished_once = sum(
            state is JobState.SUCCEEDED and self._good[name] == 1
            for name, state in zip(self._left, states, strict=True)
        )
        self.report.machine_hours = round(self.report.machine_hours, 2)
        self.report.job_hours = round(self.report.job_hours, 2)

    def _clock(self) -> datetime:
        return self._begin + timedelta(seconds=self._now)


def scenarios(boot_minutes: float, job_minutes: float, seed: int) -> list[Scenario]:
    """Return what is played."""
    dice = random.Random(seed)  # noqa: S311 - a dice
    day = sorted((dice.uniform(0, 9 * 60), dice.uniform(10, 90)) for _ in range(12))
    hundred = [(1.0, job_minutes)] * 100
    idle_minutes = read_rules().idle_seconds / MINUTE
    late = [(1.0, 5.0), (1 + boot_minutes + 5 + idle_minutes + 1.2, 5.0)]
    """The second comes when the worker has just ended, and its machine is still there."""
    return [
        Scenario("one training of 30 min", 2.0, [(1.0, 30.0)], boot_minutes),
        Scenario("a hundred videos at once", 6.0, hundred, boot_minutes, seed=seed),
        Scenario("twelve trainings in a day", 24.0, day, boot_minutes, seed=seed),
        Scenario("a job as the machine leaves", 2.0, late, boot_minutes, seed=seed),
        Scenario("metrics three minutes late", 3.0, [(1.0, 20.0)] * 4, boot_minutes, 3),
        Scenario(
            "a machine is taken every 40 min", 8.0, [(1.0, 45.0)] * 6, boot_minutes,
            taken_every_minutes=40, seed=seed,
        ),
    ]  # fmt: skip


def main() -> None:
    """Play every scenario and say what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boot-minutes", type=float, default=5.0, help="until a worker is ready")
    parser.add_argument("--job-minutes", type=float, default=2.0, help="work on one video")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rules = read_rules()
    print(rules)
    told = []
    for scenario in scenarios(given.boot_minutes, given.job_minutes, given.seed):
        with tempfile.TemporaryDirectory() as folder:
            report = Simulation(scenario, rules, Path(folder)).run()
        told.append({**asdict(report), "dollars": report.dollars(rules)})
        print(told[-1], flush=True)
    print(json.dumps({"gpu_fleet": told}))
    if any(row["broken"] or row["ends_with"] or row["finished_once"] < row["jobs"] for row in told):
        sys.exit(1)


if __name__ == "__main__":
    main()
