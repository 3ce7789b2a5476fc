"""`python -m prismata` is the `prismata` command."""

from prismata.cli.main import run

run()
