"""What a plugin imports of this program: its public API, and nothing behind it.

Invariant: files are read, never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

PUBLIC = ("prismata", "prismata.domains", "prismata.testing")
"""What every file of a plugin may import; of `prismata.testing` also its modules."""

MODEL_FILE = "model.py"
MODEL_API = "prismata.training.factory"
"""What `model.py` may import beside it: the makers whose place it takes."""

_HOUSE = "prismata"


def foreign_imports(folder: Path) -> list[str]:
    """Return a sentence for each import behind the public API, by file and line.

    Files that cannot be read or parsed are named, too.
    """
    found: list[str] = []
    for file in sorted(folder.rglob("*.py")):
        name = file.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue  # a virtual environment or a cache is not the plugin
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError) as error:
            found.append(f"{name} cannot be read: {error}")
            continue
        for line, module, names in _imports(tree):
            found += [
                f"{name}, line {line}: {what} is not public"
                for what in _behind(module, names, is_model=name == MODEL_FILE)
            ]
    return found


def _imports(tree: ast.AST) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield line, module and imported names of everything that is imported from the house."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_ours(alias.name):
                    yield node.lineno, alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module and _is_ours(node.module):
                yield node.lineno, node.module, tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import_call(node.func):
            first = node.args[0] if node.args else None
            value = first.value if isinstance(first, ast.Constant) else None
            if isinstance(value, str) and _is_ours(value):
                yield node.lineno, value, ()


def _behind(module: str, names: tuple[str, ...], *, is_model: bool) -> list[str]:
    """Return what of an import is not public."""
    if module in ("prismata", "prismata.domains"):
        public = set(import_module(module).__all__)
        # `from prismata import domains` is the same as importing that.
        public |= {name for name in names if _is_public(f"{module}.{name}", is_model=is_model)}
        return [f"{module}.{name}" for name in names if name not in public and name != "*"]
    return [] if _is_public(module, is_model=is_model) else [module]


def _is_public(module: str, *, is_model: bool) -> bool:
    return (
        module in PUBLIC
        or module.startswith("prismata.testing.")
        or (is_model and module == MODEL_API)
    )


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == _HOUSE


def _is_import_call(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in ("__import__", "import_module")
    return isinstance(function, ast.Attribute) and function.attr == "import_module"
