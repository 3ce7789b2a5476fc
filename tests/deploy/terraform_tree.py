"""Terraform read without Terraform: modules, what they refer to, and whether that exists.

`terraform validate` needs the provider, and the provider needs the internet. What it would say
about names is said here from `aws_provider_schema.json`: the arguments and attributes of the types
that are used, as the provider's version named in it declares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import hcl2
from hcl2 import SerializationOptions

SCHEMA_FILE = Path(__file__).with_name("aws_provider_schema.json")
META = {"count", "for_each", "depends_on", "lifecycle", "provider", "dynamic"}
_OPTIONS = SerializationOptions(with_comments=False, strip_string_quotes=True)
_BUILT_IN = {"each", "self", "path", "count", "terraform"}

NO_EDITS: Mapping[Path, str] = {}

Block = dict[str, Any]


class BrokenCodeError(Exception):
    """A file that is not HCL."""


@lru_cache(maxsize=512)
def _parse(text: str) -> Block:
    parsed: Block = hcl2.loads(text, serialization_options=_OPTIONS)
    return parsed


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """Arguments and attributes of every type that is used; data sources begin with `data.`."""
    types: dict[str, Any] = json.loads(SCHEMA_FILE.read_text("utf-8"))["types"]
    return types


@dataclass(frozen=True)
class Item:
    """One resource, data source or ephemeral resource."""

    kind: str
    """With `data.` or `ephemeral.` before it where it is one."""
    name: str
    body: Block

    @property
    def address(self) -> str:
        """As expressions name it."""
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True, eq=False)
class Module:
    """The `.tf` files of one folder; nobody changes what was parsed."""

    folder: Path
    files: dict[str, Block] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, edits: Mapping[Path, str] = NO_EDITS) -> Module:
        """Parse them all, as they are or as `edits` say.

        Raises:
            BrokenCodeError: If one is not HCL; Terraform would not run at all.
        """
        paths = sorted(folder.glob("*.tf"))
        return _module(folder, tuple((path, edits.get(path) or _text(path)) for path in paths))

    def blocks(self, kind: str) -> Iterator[Any]:
        """All top-level blocks of one kind."""
        for content in self.files.values():
            yield from content.get(kind, [])

    def named(self, kind: str) -> dict[str, Block]:
        """Blocks with one label, by it."""
        return {name: body for block in self.blocks(kind) for name, body in block.items()}

    @cached_property
    def items(self) -> list[Item]:
        """Resources, data sources and ephemeral resources."""
        found = []
        for block_kind, prefix in (
            ("resource", ""),
            ("data", "data."),
            ("ephemeral", "ephemeral."),
        ):
            for block in self.blocks(block_kind):
                for kind, named in block.items():
                    found += [Item(prefix + kind, name, body) for name, body in named.items()]
        return found

    @cached_property
    def references(self) -> list[tuple[str, str, str]]:
        """What its expressions name; see `references`."""
        return list(references(list(self.files.values())))

    @property
    def locals(self) -> set[str]:
        """Names of local values."""
        return {
            name for block in self.blocks("locals") for name in block if not name.startswith("__")
        }

    @property
    def required_inputs(self) -> set[str]:
        """Variables without a default."""
        return {name for name, body in self.named("variable").items() if "default" not in body}


@lru_cache(maxsize=512)
def _text(path: Path) -> str:
    return path.read_text("utf-8")


@lru_cache(maxsize=512)
def _module(folder: Path, files: tuple[tuple[Path, str], ...]) -> Module:
    module = Module(folder)
    for path, text in files:
        try:
            module.files[path.name] = _parse(text)
        except Exception as error:  # lark has a tree of its own
            raise BrokenCodeError(f"{path}: cannot be parsed: {error}") from error
    return module


def texts_in(value: object) -> Iterator[str]:
    """Every string in a parsed value, keys included: expressions are strings with `${`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


_REFERENCE = re.compile(
    r"(?<![\w.\"/:-])((?:data\.|ephemeral\.)?[a-z]\w*)\.([A-Za-z_]\w*)((?:\[[^\[\]]*\]|\.\w+)*)"
)


def references(value: object) -> Iterator[tuple[str, str, str]]:
    """Yield head, name and the rest (`.attribute`, `[0].attribute`) of what expressions name."""
    for text in texts_in(value):
        for match in _REFERENCE.finditer(code_of(text)):
            yield match[1], match[2], match[3]


def code_of(text: str) -> str:
    """Return what is evaluated in a string: its interpolations, without the strings in those."""
    code: list[str] = []
    braces: list[int] = []  # open braces of each interpolation that we are in
    in_string, place = True, 0
    while place < len(text):
        step = 1
        here, pair = text[place], text[place : place + 2]
        if in_string:
            if pair in ("$$", "%%") or here == "\\":
                step = 2
            elif pair in ("${", "%{"):
                braces.append(1)
                in_string, step = False, 2
                code.append(" ")
            elif here == '"' and braces:
                in_string = False
                code.append('"')
        elif here == '"':
            in_string = True
            code.append('"')
        else:
            braces[-1] += {"{": 1, "}": -1}.get(here, 0)
            if braces[-1]:
                code.append(here)
            else:
                braces.pop()
                in_string = True
        place += step
    return "".join(code)


def unresolved(module: Module, modules: dict[Path, Module]) -> Iterator[str]:
    """Yield what a module refers to and nobody declares."""
    variables, calls = module.named("variable"), module.named("module")
    known = {item.address: item for item in module.items}
    loops = {
        word
        for text in texts_in(list(module.files.values()))
        for match in re.finditer(r"\bfor (\w+)(?:, (\w+))? in\b", text)
        for word in match.groups()
        if word
    } | {name for block in _dynamics(module) for name in block}
    for head, name, rest in module.references:
        if head in _BUILT_IN or head in loops:
            continue
        whole = f"{head}.{name}"
        if (head == "var" and name not in variables) or (
            head == "local" and name not in module.locals
        ):
            yield f"{module.folder.name}: {whole} is not declared"
        elif head == "module":
            yield from _unresolved_output(module, modules, calls, name, rest)
        elif head not in ("var", "local"):
            if whole not in known:
                yield f"{module.folder.name}: {whole} is not declared"
            else:
                yield from _unknown_attribute(module, known[whole], rest)


def _dynamics(module: Module) -> Iterator[Block]:
    def walk(value: object) -> Iterator[Block]:
        if isinstance(value, dict):
            yield from value.get("dynamic", [])
            for inner in value.values():
                yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    yield from walk(list(module.files.values()))


def _unresolved_output(
    module: Module, modules: dict[Path, Module], calls: dict[str, Block], name: str, rest: str
) -> Iterator[str]:
    if name not in calls:
        yield f"{module.folder.name}: module.{name} is not declared"
        return
    called = modules.get((module.folder / calls[name]["source"]).resolve())
    output = re.match(r"(?:\[[^\]]*\])?\.(\w+)", rest)
    if called and output and output[1] not in called.named("output"):
        yield f"{module.folder.name}: module.{name} has no output {output[1]}"


def _unknown_attribute(module: Module, item: Item, rest: str) -> Iterator[str]:
    attribute = re.match(r"(?:\[[^\]]*\])?\.(\w+)", rest)
    described = schema().get(item.kind)
    if attribute is None or described is None:
        return
    if attribute[1] not in {*described["arguments"], *described["attributes"]}:
        yield f"{module.folder.name}: {item.address} has no attribute {attribute[1]}"


def misused_modules(module: Module, modules: dict[Path, Module]) -> Iterator[str]:
    """Yield inputs that a called module does not know, and those it misses."""
    for name, body in module.named("module").items():
        called = modules.get((module.folder / body["source"]).resolve())
        if called is None:
            yield f"{module.folder.name}: the source of module.{name} does not exist"
            continue
        given = {key for key in body if not key.startswith("__")} - META - {"source", "version"}
        for unknown in sorted(given - set(called.named("variable"))):
            yield f"{module.folder.name}: module.{name} has no input {unknown}"
        for missing in sorted(called.required_inputs - given):
            yield f"{module.folder.name}: module.{name} needs the input {missing}"


def misused_arguments(module: Module) -> Iterator[str]:
    """Yield arguments that a type does not know, and those it misses."""
    for item in module.items:
        described = schema().get(item.kind)
        if described is not None:
            yield from _arguments(
                item.body, described["arguments"], f"{module.folder.name}: {item.address}"
            )
        elif "aws_" in item.kind:
            yield (
                f"{module.folder.name}: {item.kind} is not in {SCHEMA_FILE.name}; "
                "make it anew with `python tests/deploy/reduce_schema.py`"
            )


def _arguments(body: Block, known: dict[str, Any], where: str) -> Iterator[str]:
    given = {
        key: value for key, value in body.items() if not key.startswith("__") and key not in META
    }
    for block in body.get("dynamic", []):
        for name, dynamic in block.items():
            given[name] = dynamic["content"]
    for name, value in given.items():
        if name not in known:
            yield f"{where} has no argument {name}"
        elif isinstance(known[name], dict):
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    yield from _arguments(inner, known[name]["block"], f"{where}.{name}")
    for name, need in known.items():
        required = need["required"] if isinstance(need, dict) else need
        if required and name not in given:
            yield f"{where} needs the argument {name}"


def read_modules(root: Path, edits: Mapping[Path, str] = NO_EDITS) -> dict[Path, Module]:
    """Every folder below `root` with `.tf` files, some of them as `edits` say."""
    folders = sorted({path.parent for path in root.rglob("*.tf") if ".terraform" not in path.parts})
    return {folder.resolve(): Module.read(folder, edits) for folder in folders}
