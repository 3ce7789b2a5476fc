"""`prismata domains`: list, check, create, film and pack domain plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.cli.domain_film import film_domain
from prismata.cli.domain_new import new_domain
from prismata.domains import DomainFailure, DomainRegistry
from prismata.domains.packing import pack_domain
from prismata.services.domain_list import check_domain_files
from prismata.settings import load_settings
from prismata.wiring import discover_domains

app = typer.Typer(no_args_is_help=True, help="List, check, create, film and pack domain plugins.")
app.command("new")(new_domain)
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
                "failures": [_failure_dict(item) for item in failures],
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
        notes.print(f"broken: {failure.sentence}", style="yellow", markup=False)


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
        verdicts += [(domain.name, item) for item in check_domain_files(domain)]
    failures = [] if names else DomainRegistry.failures()
    if as_json:
        print_json(
            {
                "checks": [
                    {"domain": name, "check": item.name, "ok": item.ok, "message": item.message}
                    for name, item in verdicts
                ],
                "failures": [_failure_dict(item) for item in failures],
            }
        )
    else:
        for name, item in verdicts:
            mark = "[green]ok  [/]" if item.ok else "[red]FAIL[/]"
            output.print(mark, end=" ")
            output.print(f"{name} {item.name}: {item.message}", markup=False)
        for failure in failures:
            output.print("[red]FAIL[/]", end=" ")
            output.print(failure.sentence, markup=False)
    if failures or not all(item.ok for _, item in verdicts):
        raise typer.Exit(1)


@app.command("pack")
def pack(
    name: Annotated[str, typer.Argument(help="Domain of a plugin folder.")],
    to: Annotated[Path, typer.Option(help="Folder for the project.")] = Path("packages"),
) -> None:
    """Write a domain as a project that pip can build, install and share."""
    discover_domains(load_settings())
    project = pack_domain(DomainRegistry.get(name), to)
    output.print(str(project), markup=False)
    notes.print(
        f"Build it: pip wheel --no-deps --wheel-dir wheels {project}\n"
        "Whoever installs the wheel beside Prismata has the domain.",
        markup=False,
    )


def _failure_dict(failure: DomainFailure) -> dict[str, object]:
    return {
        "origin": failure.origin,
        "message": failure.message,
        "file": failure.file or None,
        "line": failure.line,
    }
