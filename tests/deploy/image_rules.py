"""What the Dockerfile has to keep to; read without a container engine."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

TARGETS = {"app": False, "worker-cpu": True, "worker-gpu": True}
"""Images that people build → whether PyTorch is in them."""

TORCH = {"torch", "torchvision"}


@dataclass
class Stage:
    """One `FROM … AS name` with what follows."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    """Instruction in capitals, and its words."""

    def all(self, instruction: str) -> list[str]:
        """Words of every such instruction."""
        return [words for kind, words in self.steps if kind == instruction]


def read_stages(text: str) -> dict[str, Stage]:
    """Split a Dockerfile into its stages, in their order."""
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    stages: dict[str, Stage] = {}
    current = None
    for line in re.sub(r"\\\n\s*", " ", plain).splitlines():
        instruction, _, words = line.strip().partition(" ")
        if not instruction:
            continue
        if instruction.upper() == "FROM":
            base, _, name = words.partition(" AS ")
            current = stages[name or base] = Stage(name or base, base.strip())
        else:
            assert current is not None, "an instruction before the first FROM"
            current.steps.append((instruction.upper(), words.strip()))
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """Return a stage and those it is built on, the last one first."""
    chain = [stages[name]]
    while chain[-1].base in stages:
        chain.append(stages[chain[-1].base])
    return chain


def installed_from(stages: dict[str, Stage], name: str) -> list[Stage]:
    """Return the stages whose results are copied into a target, with what those are built on."""
    sources = [
        match[1]
        for stage in lineage(stages, name)
        for words in stage.all("COPY")
        if (match := re.search(r"--from=(\S+)", words))
    ]
    return [stage for source in sources for stage in lineage(stages, source)]


def pip_installs(stages: list[Stage]) -> Iterator[list[str]]:
    """Yield the words of every `pip install`, one list for each command."""
    for stage in stages:
        for words in stage.all("RUN"):
            for command in re.split(r"&&|;", words):
                parts = shlex.split(re.sub(r"\$\{\w+:\+.*?\}", "", command))
                if parts[:2] == ["pip", "install"] or parts[:4] == [
                    "python",
                    "-m",
                    "pip",
                    "install",
                ]:
                    yield parts[2 if parts[0] == "pip" else 4 :]


@lru_cache(maxsize=1)
def libraries_of_extras() -> dict[str, set[str]]:
    """Extra of our package → libraries it asks for by name."""
    found: dict[str, set[str]] = {}
    for line in requires("prismata") or []:
        requirement = Requirement(line)
        for extra in re.findall(r"extra == ['\"](\w+)['\"]", str(requirement.marker or "")):
            found.setdefault(extra, set()).add(requirement.name.lower())
    return found


def findings(text: str, constraints: str) -> list[str]:
    """Everything that is wrong with a Dockerfile."""
    stages = read_stages(text)
    missing = sorted(set(TARGETS) - set(stages))
    if missing:
        return [f"there is no target {', '.join(missing)}"]
    found = []
    if list(stages)[-1] != "app":
        found.append("a build without --target is not the app")
    for stage in stages.values():
        found += _stage_findings(stage, stages)
    for name, has_torch in TARGETS.items():
        found += _target_findings(stages, name, has_torch=has_torch)
    found += _install_findings(list(stages.values()), constraints)
    return found


def _stage_findings(stage: Stage, stages: dict[str, Stage]) -> Iterator[str]:
    if stage.base not in stages and not re.fullmatch(
        r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*(@sha256:\w+)?", stage.base
    ):
        yield f"{stage.name}: the base {stage.base} is not pinned to a version"
    if stage.all("ADD"):
        yield f"{stage.name}: ADD fetches and unpacks; use COPY"
    for words in (*stage.all("ENV"), *stage.all("ARG"), *stage.all("LABEL")):
        for name in re.findall(r"(\w+)=", words):
            if re.search(r"PASSWORD|SECRET|TOKEN|DATABASE_URL|BROKER_URL|AWS_", name.upper()):
                yield f"{stage.name}: {name} would be in the image for everybody"
    for words in stage.all("COPY"):
        if re.search(r"(^|\s)\.(\s|/\s)", re.sub(r"--\S+", "", words)):
            yield f"{stage.name}: COPY takes the whole folder"
    for words in stage.all("RUN"):
        if re.search(r"\b(curl|wget)\b", words):
            yield f"{stage.name}: RUN fetches something from the internet"


def _target_findings(stages: dict[str, Stage], name: str, *, has_torch: bool) -> Iterator[str]:
    chain = lineage(stages, name)
    user = next((words for stage in chain for words in reversed(stage.all("USER"))), "root")
    if not re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user):
        yield f"{name}: runs as {user} and not as a user with a fixed number"
    checks = [words for stage in chain for words in stage.all("HEALTHCHECK")]
    if not checks or checks[0].startswith("NONE"):
        yield f"{name}: nobody can tell whether it is well"
    places = {
        place
        for stage in chain
        for words in stage.all("VOLUME")
        for place in (json.loads(words) if words.startswith("[") else words.split())
    }
    environment = dict(
        pair.split("=", 1)
        for stage in reversed(chain)
        for words in stage.all("ENV")
        for pair in shlex.split(words)
    )
    for variable in ("PRISMATA_DATA_DIR", "HOME"):
        if environment.get(variable) not in places:
            yield f"{name}: {variable} is not on a volume, so the root cannot be read-only"
    if not any("[" in words for stage in chain for words in stage.all("ENTRYPOINT")):
        yield f"{name}: a shell stands between signals and the program"
    asked = {
        library
        for words in pip_installs(installed_from(stages, name))
        for word in words
        for library in _libraries(word)
    }
    if has_torch != bool(asked & TORCH):
        yield f"{name}: PyTorch is {'not ' if has_torch else ''}in it"


def _libraries(word: str) -> set[str]:
    if match := re.fullmatch(r"(?:\.|prismata)\[([\w,]+)\]", word):
        known = libraries_of_extras()
        return {library for extra in match[1].split(",") for library in known.get(extra, {extra})}
    if re.fullmatch(r"[A-Za-z][\w.-]*(\[.*\])?(==.*)?", word):
        return {re.split(r"[\[=]", word)[0].lower()}
    return set()


def _install_findings(stages: list[Stage], constraints: str) -> Iterator[str]:
    pinned = {
        line.partition("==")[0].lower(): line.partition("==")[2]
        for line in constraints.splitlines()
        if "==" in line
    }
    for words in pip_installs(stages):
        asked = " ".join(words)
        if not re.search(r"(--constraint|-c)[ =]constraints\.txt", asked):
            yield f"pip install {asked}: not held to constraints.txt"
        for word in words:
            name, _, version = word.partition("==")
            if version and pinned.get(name.lower()) != version:
                yield f"pip install {word}: constraints.txt says {pinned.get(name.lower())}"
            for library in _libraries(word):
                if (
                    library.isidentifier()
                    and library not in pinned
                    and library != "constraints.txt"
                ):
                    yield f"pip install {word}: constraints.txt does not know {library}"


def is_sent_to_the_builder(ignore_file: str, path: str) -> bool:
    """Whether a file is part of the build context: the last line that matches decides."""
    sent = True
    parts = path.split("/")
    for line in ignore_file.splitlines():
        pattern = line.strip().rstrip("/")
        if not pattern or pattern.startswith("#"):
            continue
        keep = pattern.startswith("!")
        wanted = pattern.lstrip("!").split("/")
        if any(_matches(wanted, parts[: end + 1]) for end in range(len(parts))):
            sent = keep
    return sent


def _matches(wanted: list[str], parts: list[str]) -> bool:
    if not wanted or not parts:
        return not wanted and not parts
    if wanted[0] == "**":
        return any(_matches(wanted[1:], parts[start:]) for start in range(len(parts)))
    return fnmatchcase(parts[0], wanted[0]) and _matches(wanted[1:], parts[1:])


def compose_settings(services: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Service → the `PRISMATA_…` variables it sets."""
    return {
        name: {
            key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
            for key, value in (service.get("environment") or {}).items()
            if key.startswith("PRISMATA_")
        }
        for name, service in services.items()
    }


def read_text(root: Path, name: str) -> str:
    """Text of a file at the top of the project."""
    return (root / name).read_text("utf-8")
