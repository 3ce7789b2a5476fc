"""What a search has done so far: on disk after every epoch, in storage after every piece."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prismata.core.errors import NotFoundError
from prismata.core.jobs import JobLease
from prismata.services.search import STATE_FILE, search_prefix
from prismata.services.workbench import Workbench
from prismata.training.checkpoint import how_far, load_checkpoint
from prismata.training.search import Rung, Standing, ranking
from prismata.worker.train.run import take_newer_checkpoint


class SearchState:
    """The standings of a search, its time and the checkpoints of its trials.

    There is one place for each plan, so whoever asks for the same again goes on; a search of the
    same domain with another plan clears it away, and no two of them run at once.

    Args:
        bench: Where it is mirrored.
        domain: Name of the domain.
        plan: Digest of all that the standings depend on.
        rungs: Of the search.
        lease: What shows that this attempt may still write.
    """

    def __init__(
        self, bench: Workbench, domain: str, plan: str, rungs: Sequence[Rung], lease: JobLease
    ) -> None:
        self._bench, self._rungs, self._lease = bench, rungs, lease
        self._domain, self._plan = domain, plan
        self._prefix = search_prefix(domain, plan)
        self._data: list[str] = []
        self.folder = bench.settings.cache_dir / "searches" / domain / plan
        self.standings: list[Standing] = []
        self.spent_seconds = 0.0
        """Of training, in this job: time given before to the same plan does not count."""

    def take(self, data_digests: Sequence[str]) -> None:
        """Go on from what lies here or in storage, whichever has come further.

        Args:
            data_digests: Of what each trial is trained on; what was made of other data is not used.
        """
        self._clear_others()
        self._data = list(data_digests)
        self.standings = [Standing() for _ in data_digests]
        for read in (self._read_here, self._read_stored):
            with suppress(NotFoundError, OSError, ValueError, TypeError, KeyError):
                self._use_if_further(json.loads(read()))
        self.folder.mkdir(parents=True, exist_ok=True)

    def checkpoint(self, trial: int) -> Path:
        """Return where the checkpoint of a trial is, if there is one."""
        return self.folder / self._name(trial)

    def fetch(self, trial: int) -> None:
        """See to it that the newest checkpoint of a trial lies here, and its curve agrees with it.

        One that is nowhere, or damaged, costs what it held: the trial begins again.
        """
        path, standing = self.checkpoint(trial), self.standings[trial]
        if how_far(path)[0] < len(standing.curve):
            with suppress(NotFoundError):
                take_newer_checkpoint(self._bench, self._prefix + self._name(trial), path)
        if how_far(path)[0] < 0:
            path.unlink(missing_ok=True)
            standing.curve, standing.seconds = [], 0.0
            return
        self.note_curve(trial)

    def note_curve(self, trial: int) -> float:
        """Take the curve of a trial from its checkpoint; return its best score."""
        stored = load_checkpoint(self.checkpoint(trial))
        self.standings[trial].curve = [float(row["val_score"]) for row in stored["history"]]
        return float(stored["best_score"])

    def save(self) -> None:
        """Write it here, atomically."""
        path = self.folder / STATE_FILE
        temporary = path.with_suffix(f".{os.getpid()}.part")
        with temporary.open("w", encoding="utf-8") as target:
            json.dump(self.to_dict(), target)
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(path)

    def mirror(self, trial: int) -> None:
        """Write it here and into storage, the state last.

        Raises:
            ConflictError: If the job belongs to somebody else now.
        """
        self.save()
        self._bench.catalog.leases.check(self._lease)
        if self.checkpoint(trial).is_file():
            self._bench.storage.put_file(self._prefix + self._name(trial), self.checkpoint(trial))
        self._bench.storage.put_file(self._prefix + STATE_FILE, self.folder / STATE_FILE)

    def forget_checkpoints(self, trials: Sequence[int]) -> None:
        """Remove the checkpoints of trials that are not trained any further."""
        for trial in trials:
            self.checkpoint(trial).unlink(missing_ok=True)
            self._bench.storage.delete(self._prefix + self._name(trial))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "job": self._lease.job_id,
            "data": self._data,
            "rungs": [asdict(rung) for rung in self._rungs],
            "standings": [standing.to_dict() for standing in self.standings],
            "ranking": list(ranking(self.standings)),
            "spent_seconds": round(self.spent_seconds, 3),
        }

    @staticmethod
    def _name(trial: int) -> str:
        return f"trial-{trial + 1}.pt"

    def _read_here(self) -> bytes:
        return (self.folder / STATE_FILE).read_bytes()

    def _read_stored(self) -> bytes:
        return self._bench.storage.get(self._prefix + STATE_FILE)

    def _use_if_further(self, kept: Mapping[str, Any]) -> None:
        standings = [Standing(**standing) for standing in kept["standings"]]
        same = kept["data"] == self._data and kept["rungs"] == [asdict(one) for one in self._rungs]
        if same and _how_much(standings) > _how_much(self.standings):
            self.standings = standings
            is_this_job = kept["job"] == self._lease.job_id
            self.spent_seconds = float(kept["spent_seconds"]) if is_this_job else 0.0

    def _clear_others(self) -> None:
        root = self.folder.parent
        for folder in root.iterdir() if root.is_dir() else ():
            if folder.name != self._plan:
                shutil.rmtree(folder, ignore_errors=True)
        for found in list(self._bench.storage.list(search_prefix(self._domain))):
            if not found.key.startswith(self._prefix):
                self._bench.storage.delete(found.key)


def _how_much(standings: Sequence[Standing]) -> tuple[int, int]:
    """Return how much has been done: pieces, then epochs."""
    pieces = sum(len(standing.scores) + bool(standing.failed) for standing in standings)
    return pieces, sum(len(standing.curve) for standing in standings)
