"""Write docs/settings.md from `prismata.settings.Settings`: `python docs/generate_settings.py`."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from prismata.settings import Settings

PAGE = Path(__file__).with_name("settings.md")

HEAD = """\
# Settings

<!-- Made by docs/generate_settings.py from prismata.settings; change it there. -->

Every setting is an environment variable or, without the prefix and in lower case, a key in
`prismata.toml` in the working directory. The variable wins; what neither names has the default.
A name or value that does not exist is an error, never ignored.

| variable | values | default | what it is |
| --- | --- | --- | --- |
"""


def render(settings: type[BaseSettings] = Settings) -> str:
    """Return the page as Markdown."""
    rows = (_row(name, field) for name, field in settings.model_fields.items())
    return HEAD + "".join(rows)


def _row(name: str, field: FieldInfo) -> str:
    values = _values(field.annotation) + _bounds(field)
    cells = (f"`PRISMATA_{name.upper()}`", values, _default(field.default), field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _values(annotation: Any) -> str:  # noqa: ANN401 - any type a setting may have
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_values(part) for part in get_args(annotation) if part is not type(None))
    names = {
        Path: "path",
        SecretStr: "text, kept secret",
        bool: "`true`, `false`",
        float: "number",
        int: "whole number",
        str: "text",
    }
    return names[annotation]


def _bounds(field: FieldInfo) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    bounds = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in signs.items()
        if hasattr(limit, name)
    ]
    return "".join(f", {bound}" for bound in bounds)


def _default(value: Any) -> str:  # noqa: ANN401 - any value a setting may have
    if value is None or value == "" or (isinstance(value, SecretStr) and not len(value)):
        return "empty"
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
