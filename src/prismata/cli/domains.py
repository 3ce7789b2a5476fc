"""`prismata domains`: list, check and create domain plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.cli.domain_film import film_domain
from prismata.core.errors import InvalidInputError
from prismata.domains import DomainRegistry, check_domain, create_domain
from prismata.domains.scaffold import parse_event_type
from prismata.settings import load_settings
from prismata.wiring import discover_domains

app = typer.Typer(no_args_is_help=True, help="List, check and create domain plugins.")
app.command("film")(film_domain)


@app.command("list")
def list_domains(as_json: JsonOption = False) -> None:
    """List domains, and the plugins that are broken."""
    discover_domains(load_settings())
    domains, failures = DomainRegistry.list(), DomainRegistry.failures()
    if as_json:
        print_json(
            {
                "domains": [
                    {
                        "name": domain.name,
                        "title": domain.title,
                        "version": domain.version,
                        "event_types": [
                            {"name": item.name, "kind": item.kind} for item in domain.event_types
                        ],
                        "origin": DomainRegistry.origin(domain.name),
                    }
                    for domain in domains
                ],
                "failures": [{"origin": item.origin, "message": item.message} for item in failures],
            }
        )
        return
    print_table(
        f"{len(domains)} domains",
        ("name", "version", "events", "from"),
        [
            (
                domain.name,
                domain.version,
                ", ".join(f"{item.name} ({item.kind})" for item in domain.event_types),
                DomainRegistry.origin(domain.name),
            )
            for domain in domains
        ],
        right="version",
    )
    for failure in failures:
        notes.print(f"broken: {failure.origin}: {failure.message}", style="yellow", markup=False)


@app.command("check")
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Domains; by default all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check what domains declare; one line a verdict."""
    discover_domains(load_settings())
    domains = [DomainRegistry.get(name) for name in names or []] or DomainRegistry.list()
    verdicts = []
    for domain in domains:
        folder = Path(DomainRegistry.origin(domain.name)).parent
        verdicts += [(domain.name, item) for item in check_domain(domain, folder)]
    failures = [] if names else DomainRegistry.failures()
    if as_json:
        print_json(
            {
                "checks": [
                    {"domain": name, "check": item.name, "ok": item.ok, "message": item.message}
                    for name, item in verdicts
                ],
                "failures": [{"origin": item.origin, "message": item.message} for item in failures],
            }
        )
    else:
        for name, item in verdicts:
            mark = "[green]ok  [/]" if item.ok else "[red]FAIL[/]"
            output.print(mark, end=" ")
            output.print(f"{name} {item.name}: {item.message}", markup=False)
        for failure in failures:
            output.print("[red]FAIL[/]", end=" ")
            output.print(f"{failure.origin}: {failure.message}", markup=False)
    if failures or not all(item.ok for _, item in verdicts):
        raise typer.Exit(1)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Lower-case name, for example tennis_serve.")],
    event: Annotated[
        list[str] | None,
        typer.Option(help="NAME:point:KEY or NAME:segment:KEY (repeat for more)."),
    ] = None,
    title: Annotated[str, typer.Option(help="What people read.")] = "",
    folder: Annotated[
        Path | None, typer.Option(help="Folder for it; by default the first domain folder.")
    ] = None,
) -> None:
    """Write a complete domain plugin: declaration, label guide and tests."""
    folders = load_settings().domain_folders
    target = folder or (folders[0] if folders else None)
    if target is None:
        raise InvalidInputError("no domain folder is set; name one with --folder")
    events = [parse_event_type(text) for text in event or []]
    for path in create_domain(target, name, events, title=title):
        output.print(str(path), markup=False)
    notes.print(f"Edit domain.py and README.md, then run `prismata domains check {name}`.")
