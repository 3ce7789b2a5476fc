"""Ask checkov about this project, and hold its report to more than checkov itself does.

    python tests/deploy/checkov_report.py

prints a sentence for everything that is wrong and ends with 1. For checkov a file that it can't
parse is none of its business (it ends with 0), a waiver needs no reason, and a waiver of something
that is in order stays unnoticed. Here each is a finding. Works without a network.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = ("terraform", "dockerfile", "github_actions")
_ELSEWHERE = (".venv", ".venv-checks", "node_modules", "tests", "data", "build")
_WAIVER = re.compile(r"#\s*checkov:skip=(\w+)(?::(.*))?")
_WORDS_OF_A_REASON = 4

Report = dict[str, Any]


def ask(program: str, folder: Path) -> list[Report]:
    """Return checkov's reports about a folder, one for each kind of file it found there."""
    words = [program, "--skip-download", "--output", "json", "--directory", "."]
    words += ["--framework", *FRAMEWORKS]
    for name in _ELSEWHERE:
        words += ["--skip-path", name]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"checkov printed no report: {done.stderr[-2000:]}") from error
    return list(told) if isinstance(told, list) else [told]


def waivers(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield file, check and reason of every waiver that is written down."""
    files = [*folder.glob("terraform/**/*.tf"), *folder.glob("Dockerfile")]
    files += folder.glob(".github/workflows/*.yml")
    for path in sorted(files):
        for check, reason in _WAIVER.findall(path.read_text("utf-8")):
            yield f"/{path.relative_to(folder)}", check, reason.strip()


def findings(reports: list[Report], folder: Path) -> list[str]:
    """Everything that is wrong, as sentences; sorted."""
    found: set[str] = set()
    kinds = {report.get("check_type") for report in reports}
    found |= {f"checkov looked at no {kind}" for kind in FRAMEWORKS if kind not in kinds}
    waived = set()
    for report in reports:
        results = report.get("results", {})
        for path in results.get("parsing_errors", []):
            found.add(f"{path} cannot be parsed")
        for check in results.get("failed_checks", []):
            found.add(
                f"{check['file_path']}: {check['resource']} fails {check['check_id']},"
                f" {check['check_name']}"
            )
        waived |= {(item["file_path"], item["check_id"]) for item in results["skipped_checks"]}
    for path, check, reason in waivers(folder):
        if len(reason.split()) < _WORDS_OF_A_REASON:
            found.add(f"{path}: the waiver of {check} says no reason")
        if (path, check) not in waived:
            found.add(f"{path}: the waiver of {check} waives nothing")
    return sorted(found)


def main() -> int:
    """Print the findings about this project; 0 where there are none."""
    program = shutil.which(str(ROOT / ".venv-checks/bin/checkov")) or shutil.which("checkov")
    if program is None:
        sys.stderr.write("checkov is not installed; `make infrastructure` installs it\n")
        return 2
    found = findings(ask(program, ROOT), ROOT)
    sys.stdout.write("".join(f"{sentence}\n" for sentence in found))
    sys.stdout.write(f"checkov: {len(found)} findings\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
