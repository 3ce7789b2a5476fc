"""Load one plugin, from a folder or from an installed package, and say what went wrong if not.

Invariant: loading leaves `sys.path` alone and writes nothing beside the plugin.
"""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, ModuleType

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.domains.spec import PLUGIN_MODULE, Domain, complete_domain

PLUGIN_FILE = f"{PLUGIN_MODULE}.py"

_collecting: ContextVar[list[type[Domain]] | None] = ContextVar("_collecting", default=None)


def collect(domain_class: type[Domain]) -> bool:
    """Hand a freshly decorated class to the load in progress; False if there is none."""
    found = _collecting.get()
    if found is None:
        return False
    found.append(domain_class)
    return True


@contextmanager
def _collect_decorated() -> Iterator[list[type[Domain]]]:
    found: list[type[Domain]] = []
    token = _collecting.set(found)
    try:
        yield found
    finally:
        _collecting.reset(token)


class _PlainSourceLoader(SourceFileLoader):
    """Always compiles the source.

    Cached bytecode is checked by whole seconds and size, so an edit made within the same second
    would be missed; and a plugin folder may be read-only.
    """

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def load_plugin(folder: Path) -> type[Domain]:
    """Execute `folder/domain.py` afresh and return the one domain that it registers.

    The registry is not touched. The module gets a name of its own, made from the folder's path,
    and lives in a package of its own, so `model.py` beside it can be found. If it cannot be loaded,
    the modules of an earlier load stay what they were: who holds that domain can go on.

    Raises:
        NotFoundError: If the folder has no `domain.py`.
        InvalidInputError: If it does not register exactly one domain named like the folder.
        Exception: Whatever the plugin itself raises.
    """
    folder = folder.resolve()
    file = folder / PLUGIN_FILE
    if not file.is_file():
        raise NotFoundError(f"{folder} has no {PLUGIN_FILE}, so it is not a domain plugin")
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    package_name = f"_prismata_plugin_{digest}"
    earlier = _forget(package_name)
    linecache.checkcache(str(file))
    package = ModuleType(package_name, f"Plugin folder {folder.name}.")
    package.__path__ = [str(folder)]
    package.__spec__ = ModuleSpec(package_name, loader=None, is_package=True)
    package.__spec__.submodule_search_locations = package.__path__
    module_name = f"{package_name}.{PLUGIN_MODULE}"
    loader = _PlainSourceLoader(module_name, str(file))
    spec = ModuleSpec(module_name, loader, origin=str(file), is_package=False)
    spec.has_location = True
    module = module_from_spec(spec)
    sys.modules[package_name] = package
    sys.modules[module_name] = module
    try:
        with _collect_decorated() as found:
            loader.exec_module(module)
        return _only_domain(folder, [item for item in found if item.__module__ == module_name])
    except BaseException:
        _forget(package_name)
        sys.modules.update(earlier)
        raise


def load_entry_point(entry_point: EntryPoint) -> type[Domain]:
    """Import what an entry point names; it must be a `Domain` class.

    Raises:
        InvalidInputError: If it names something else.
        Exception: Whatever the package itself raises.
    """
    with _collect_decorated():
        loaded = entry_point.load()
    if not (isinstance(loaded, type) and issubclass(loaded, Domain)):
        raise InvalidInputError(
            f"entry point {entry_point.name!r} names {entry_point.value!r}, which is not a Domain "
            "class; write it as `package.module:ClassName`"
        )
    complete_domain(loaded)
    return loaded


def _only_domain(folder: Path, found: list[type[Domain]]) -> type[Domain]:
    if len(found) != 1:
        names = ", ".join(item.name for item in found) or "none"
        raise InvalidInputError(
            f"{PLUGIN_FILE} must register exactly one domain with @register_domain; "
            f"it registers {names}"
        )
    if found[0].name != folder.name:
        raise InvalidInputError(
            f"folder {folder.name!r} declares domain {found[0].name!r}; give both the same name"
        )
    return found[0]


def _forget(package_name: str) -> dict[str, ModuleType]:
    """Take a plugin's modules out of the table of modules, and return them."""
    names = [item for item in sys.modules if item.partition(".")[0] == package_name]
    return {name: sys.modules.pop(name) for name in names}
