"""Labels that cannot be lost: two annotators, a server that is killed, a network that is cut.

Two simulated annotators in headless Chromium edit the same video at random through the real label
store and the real routes. Meanwhile the server is killed and started again (with a new secret, as
`prismata serve` has one), each network is cut, and tabs are closed in the middle of edits and
opened again. At the end every operation that a browser made is looked for in the server's log, the
log is replayed, and the server and both tabs are compared. The last line is everything as JSON.

    python benchmarks/label_chaos.py [--operations 10000] [--kills 8] [--cuts 12] [--closings 24]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from player_page import ASSETS, open_browser
from serving import DOMAINS, ServedWorkbench

from prismata.core.coverage import coverage_from_json, coverage_to_json, paint
from prismata.core.operations import SHEET_FIELDS, own_fields
from prismata.services.ingest import ingest_file
from prismata.settings import Settings
from prismata.testing.synth import render_flashes
from prismata.wiring import open_workbench

SCRIPT = Path(__file__).with_name("label_chaos_page.js")
PAGE = '<!doctype html><title>chaos</title><script type="module" src="/chaos/page.js"></script>'
DOMAIN, EVENT_TYPE = "fights", "fight"
USERS = ("ada", "bob & co/2")
VIDEO_SECONDS = 30
SETTLE_SECONDS = 90
PAUSE_MS = 200
"""An annotator waits at most this long between bursts of one to four edits."""


@dataclass
class Chaos:
    """One run and what it found out."""

    served: ServedWorkbench
    video_id: str
    duration_us: int
    rng: random.Random
    made: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    contexts: list[Any] = field(default_factory=list)
    pages: list[Any] = field(default_factory=list)
    pending_at_closing: int = 0
    done: dict[str, int] = field(default_factory=lambda: {"kills": 0, "cuts": 0, "closings": 0})

    def open_contexts(self, browser: Any) -> None:  # noqa: ANN401 - playwright is no dependency
        """Give each annotator a browser of their own."""
        for who in range(len(USERS)):
            context = browser.new_context()
            context.expose_function("askTokens", self._tokens)
            context.expose_function("noteMade", self._note)
            context.expose_function("noteRefused", self._refuse)
            self.contexts.append(context)
            self.pages.append(self._open_page(who))

    def run(self, operations: int, plan: list[str]) -> None:
        """Let them edit until so many operations were made, and misbehave in between."""
        every = operations / (len(plan) + 1)
        for number, mischief in enumerate(plan, 1):
            # Half of the edits before, half of them while it happens and after.
            self._edit_until(int((number - 0.5) * every))
            self._allow(int(every / 2))
            getattr(self, f"_{mischief}")(self.rng.randrange(len(USERS)))
        self._edit_until(operations)

    def settle(self) -> list[dict[str, Any]]:
        """Stop editing, wait until everything is sent and known, and return the beliefs."""
        self._allow(0)
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            beliefs = [page.evaluate("() => window.annotator.belief()") for page in self.pages]
            is_saved = all(belief["status"]["state"] == "saved" for belief in beliefs)
            # What a closed tab left in the browser's storage is sent by one that is open, but only
            # once it has lain there for a while.
            is_sent = is_saved and not any(journal["queued"] for journal in self.journals())
            if is_sent and beliefs[0]["seq"] == beliefs[1]["seq"] == self._load()["seq"]:
                return beliefs
            if time.monotonic() > deadline:
                raise SystemExit(f"not settled: {[belief['status'] for belief in beliefs]}")
            self._wait(0.5)

    def server_state(self) -> dict[str, Any]:
        """Return what the server says, in the form of a belief."""
        loaded = self._load()
        events = [dict(zip(loaded["fields"], row, strict=True)) for row in loaded["rows"]]
        return {"events": events, "coverage": loaded["coverage"], "sheet": loaded["sheet"]}

    def journals(self) -> list[dict[str, Any]]:
        """Return what the pages noted of their operations in their own storage."""
        return [page.evaluate("() => window.chaos.journal()") for page in self.pages]

    def _load(self) -> dict[str, Any]:
        headers = {
            "x-prismata-token": self._tokens(USERS[0])["labels"],
            "x-prismata-user": USERS[0],
        }
        address = f"{self.served.url}/api/labels/{self.video_id}/{DOMAIN}"
        answer = httpx.get(address, headers=headers, timeout=30)
        answer.raise_for_status()
        loaded: dict[str, Any] = answer.json()
        return loaded

    def _tokens(self, user: str) -> dict[str, str]:
        return {"labels": self.served.token("labels", f"{self.video_id}/{DOMAIN}/{user}")}

    def _note(self, operation_id: str) -> None:
        self.made.add(operation_id)

    def _refuse(self, operation_id: str, message: str) -> None:
        self.refused[operation_id] = message

    def _open_page(self, who: int) -> Any:  # noqa: ANN401
        page = self.contexts[who].new_page()
        # From here and not from the server: it may be dead just now.
        page.route("**/chaos/**", _fulfil)
        page.goto(f"{self.served.url}/chaos/")
        page.wait_for_function("() => window.chaos")
        page.unroute("**/chaos/**")
        about = {
            "user": USERS[who],
            "video": self.video_id,
            "domain": DOMAIN,
            "event_type": EVENT_TYPE,
            "duration_us": self.duration_us,
            "pause_ms": PAUSE_MS,
        }
        start = "(about) => { window.annotator = new chaos.Annotator(about); annotator.start(); }"
        page.evaluate(start, about)
        return page

    def _edit_until(self, count: int) -> None:
        while (left := count - len(self.made)) > 0:
            self._allow(left)
            self._wait(0.1)

    def _allow(self, edits: int) -> None:
        """Let both together make so many edits more, and then pause."""
        for page in self.pages:
            page.evaluate("(edits) => { window.allowed = edits; }", -(-edits // len(USERS)))

    def _wait(self, seconds: float) -> None:
        self.pages[0].wait_for_timeout(1000 * seconds)

    def _kills(self, who: int) -> None:
        del who
        self.served.kill()
        self._wait(self.rng.uniform(0.1, 1.5))
        self.served.secret = secrets.token_bytes(32)
        self.served.start()
        self.done["kills"] += 1

    def _cuts(self, who: int) -> None:
        self.contexts[who].set_offline(True)
        self._wait(self.rng.uniform(0.3, 3))
        self.contexts[who].set_offline(False)
        self.done["cuts"] += 1

    def _closings(self, who: int) -> None:
        """Close a tab while it edits; at times without network, or with the next one open."""
        old = self.pages[who]
        if overlaps := self.rng.random() < 0.5:
            self.pages[who] = self._open_page(who)
            self._wait(self.rng.uniform(0, 1))
        if is_cut := self.rng.random() < 0.4:
            self.contexts[who].set_offline(True)
            self._wait(self.rng.uniform(0.1, 1))
        pending = "() => Boolean(window.annotator.store?.status.pending)"
        self.pending_at_closing += bool(old.evaluate(pending))
        if self.rng.random() < 0.5:
            # In the very moment of an edit: nothing of it was sent.
            old.evaluate("() => { window.annotator.store && window.annotator.editOnce(); }")
        old.close()
        if is_cut:
            self.contexts[who].set_offline(False)
        if not overlaps:
            # The other page's time passes; this one's pages are all closed.
            self.pages[1 - who].wait_for_timeout(self.rng.uniform(0, 800))
            self.pages[who] = self._open_page(who)
        self.done["closings"] += 1


def _fulfil(route: Any) -> None:  # noqa: ANN401
    path = route.request.url.partition("/chaos/")[2]
    if not path:
        route.fulfill(body=PAGE, content_type="text/html")
        return
    file = SCRIPT if path == "page.js" else ASSETS / path.removeprefix("assets/")
    route.fulfill(body=file.read_text("utf-8"), content_type="text/javascript")


def read_log(database: Path) -> list[dict[str, Any]]:
    """Return every operation that the catalog knows, applied ones in their order, then the rest."""
    query = "SELECT * FROM label_operation ORDER BY seq IS NULL, seq"
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(query)]
    for row in rows:
        row["before"], row["after"] = (json.loads(row[name] or "null") for name in BOTH)
    return rows


BOTH = ("before", "after")


def replay(log: list[dict[str, Any]]) -> tuple[dict[str, Any], int]:
    """Return the state that the applied operations lead to, and how many do not fit their place."""
    events: dict[str, dict[str, Any]] = {}
    coverage: list[Any] = []
    sheet = {"status": "new", "assignee": "", "note": ""}
    misplaced = 0
    for number, row in enumerate((row for row in log if row["outcome"] == "applied"), 1):
        before, after = row["before"], row["after"]
        misplaced += row["seq"] != number
        if row["kind"] == "cover":
            start_us, end_us = after["start_us"], after["end_us"]
            inside = coverage_from_json(after["spans"])
            painted = paint(coverage_from_json(coverage), start_us, end_us, inside)
            coverage = coverage_to_json(painted)
        elif row["kind"] == "sheet":
            misplaced += any(sheet[name] != value for name, value in before.items())
            sheet |= after
        else:
            misplaced += events.get(row["event_id"]) != before
            if after is None:
                events.pop(row["event_id"], None)
            else:
                events[row["event_id"]] = after
    listed = [{"id": event_id, **state} for event_id, state in events.items()]
    return {"events": listed, "coverage": coverage, "sheet": sheet}, misplaced


def comparable(state: dict[str, Any]) -> str:
    """Return what people decided, as text that is equal for equal states."""
    events = {event["id"]: own_fields(event) for event in state["events"]}
    sheet = {name: state["sheet"][name] for name in SHEET_FIELDS}
    return json.dumps([events, state["coverage"], sheet], sort_keys=True)


def measure(
    folder: Path,
    browser: Any,  # noqa: ANN401
    *,
    operations: int,
    kills: int,
    cuts: int,
    closings: int,
    seed: int,
) -> dict[str, Any]:
    """Run it once in an open browser and count."""
    rng = random.Random(seed)  # noqa: S311 - when to misbehave
    made = render_flashes(folder / "room.mp4", seconds=VIDEO_SECONDS, seed=1, size=(64, 48))
    data = folder / "data"
    with open_workbench(Settings(data_dir=data, domains_dirs=str(DOMAINS))) as bench:
        video = ingest_file(bench, made.path, domain=DOMAIN).video
    if video is None:
        raise SystemExit("the video was not taken in")
    plan = ["kills"] * kills + ["cuts"] * cuts + ["closings"] * closings
    rng.shuffle(plan)
    began = time.monotonic()
    with ServedWorkbench(data) as served:
        chaos = Chaos(served, video.id, video.duration_us, rng)
        chaos.open_contexts(browser)
        chaos.run(operations, plan)
        beliefs = chaos.settle()
        truth = chaos.server_state()
        journals = chaos.journals()
        for context in chaos.contexts:
            context.close()
    seconds = time.monotonic() - began
    return {
        **_compared(chaos, read_log(data / "prismata.db"), beliefs, truth, journals),
        **chaos.done,
        "closed_with_edits_pending": chaos.pending_at_closing,
        "annotators": len(USERS),
        "seed": seed,
        "seconds": round(seconds, 1),
        "load": round(os.getloadavg()[0], 2),
    }


def _compared(
    chaos: Chaos,
    log: list[dict[str, Any]],
    beliefs: list[dict[str, Any]],
    truth: dict[str, Any],
    journals: list[dict[str, Any]],
) -> dict[str, Any]:
    made = chaos.made.union(*(journal["made"] for journal in journals)) - {""}
    logged = [row["id"] for row in log]
    replayed, misplaced = replay(log)
    marks = [event["attributes"]["source"]["mark"] for event in truth["events"]]
    states = [comparable(state) for state in (truth, replayed, *beliefs)]
    refused = [operation_id for operation_id in made if operation_id in chaos.refused]
    return {
        "operations": len(made),
        "lost": len(made - set(logged) - set(refused)),
        "doubled": len(logged) - len(set(logged)) + len(marks) - len(set(marks)),
        "unknown": len(set(logged) - made),
        "misplaced": misplaced,
        "still_queued": sum(journal["queued"] for journal in journals),
        "applied": sum(row["outcome"] == "applied" for row in log),
        "conflicts": sum(row["outcome"] == "conflict" for row in log),
        "refused": len(set(refused) - set(logged)),
        "refused_because": sorted({chaos.refused[item] for item in set(refused) - set(logged)})[:5],
        "events": len(truth["events"]),
        "states_equal": len(set(states)) == 1,
        "equal_to_server": {
            name: state == states[0]
            for name, state in zip(("replay", "tab 1", "tab 2"), states[1:], strict=True)
        },
    }


def main() -> None:
    """Run, print, and fail if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--cuts", type=int, default=12)
    parser.add_argument("--closings", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    chosen = vars(parser.parse_args())
    with tempfile.TemporaryDirectory(prefix="prismata-chaos-") as folder, open_browser() as browser:
        found = measure(Path(folder), browser, **chosen)
    print(
        f"{found['operations']} operations of {found['annotators']} annotators in "
        f"{found['seconds']} s, {found['kills']} kills of the server, {found['cuts']} cuts of the "
        f"network, {found['closings']} tabs closed ({found['closed_with_edits_pending']} with "
        f"edits pending): {found['lost']} lost, {found['doubled']} doubled; {found['applied']} "
        f"applied, {found['conflicts']} conflicts, {found['refused']} refused; server and both "
        f"tabs {'agree' if found['states_equal'] else 'DIFFER'}"
    )
    print(json.dumps({"label_chaos": found}))
    if found["lost"] or found["doubled"] or found["misplaced"] or not found["states_equal"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
