"""`prismata people`: who may sign in, and what each of them may do."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from prismata.catalog import PersonRecord
from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.core.roles import MAY, ROLES, Role
from prismata.services.people import remove_person, set_role
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True)

NameArgument = Annotated[
    str, typer.Argument(help="As the identity provider tells it: usually the e-mail address.")
]


@app.command(name="list")
def list_people(as_json: JsonOption = False) -> None:
    """List who is known here, with their roles."""
    with open_workbench() as bench:
        people = bench.catalog.people.list()
        settings = bench.settings
    if as_json:
        print_json([_person(item) for item in people])
        return
    if people:
        rows = [[p.name, p.role or "none yet", _when(p)] for p in people]
        print_table("", ["name", "role", "last signed in"], rows)
    else:
        notes.print("nobody is known yet; add people with `prismata people set NAME ROLE`")
    if settings.admin_names:
        named = ", ".join(sorted(settings.admin_names))
        notes.print(f"always an admin, by PRISMATA_ADMINS: {named}", markup=False)
    if settings.login == "none":
        notes.print("nobody has to sign in (PRISMATA_LOGIN is none), so roles mean nothing yet")


@app.command(name="set")
def set_person(
    name: NameArgument,
    role: Annotated[str, typer.Argument(help=f"What they may do: {', '.join(ROLES)}.")],
) -> None:
    """Give somebody a role; from their next click on."""
    with open_workbench() as bench:
        record = set_role(bench, bench.settings.author, name, cast("Role", role))
    output.print(f"{record.name} is {record.role} now: may {MAY[record.role or 'viewer']}")


@app.command()
def remove(name: NameArgument) -> None:
    """Take somebody's role away; what they did stays."""
    with open_workbench() as bench:
        remove_person(bench, bench.settings.author, name)
    output.print(f"{name} may do nothing here any more", markup=False)


def _person(record: PersonRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "role": record.role,
        "added_at": record.added_at.isoformat(),
        "seen_at": record.seen_at.isoformat() if record.seen_at else None,
    }


def _when(record: PersonRecord) -> str:
    return f"{record.seen_at:%Y-%m-%d %H:%M} UTC" if record.seen_at else "never"
