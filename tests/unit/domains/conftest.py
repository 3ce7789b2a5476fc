from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prismata.domains import DomainRegistry

WritePlugin = Callable[..., Path]

SOURCE = """
from prismata.domains import Domain, EventType, GroupingRule, register_domain

@register_domain
class {class_name}(Domain):
    name = "{name}"
    version = {version}
    event_types = {event_types}
    {extra}
"""


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    DomainRegistry.clear()
    yield
    DomainRegistry.clear()


@pytest.fixture
def write_plugin(tmp_path: Path) -> WritePlugin:
    def write(
        name: str,
        *,
        inside: str = "plugins",
        folder: str | None = None,
        version: int = 1,
        event_types: str = '(EventType("hit", hotkey="h", guide="First frame of the hit."),)',
        extra: str = "",
        source: str | None = None,
    ) -> Path:
        target = tmp_path / inside / (folder or name)
        target.mkdir(parents=True, exist_ok=True)
        text = source or SOURCE.format(
            class_name=name.capitalize(),
            name=name,
            version=version,
            event_types=event_types,
            extra=extra,
        )
        (target / "domain.py").write_text(text)
        return target

    return write
