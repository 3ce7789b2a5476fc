"""Alembic's side of the catalog: one file a schema change in `versions`, run by `upgrades`.

A released file is never edited. The next change is a new file `v0002_<what>.py` by hand, with
`down_revision` naming the last one; `tests/contract/catalog/test_schema.py` fails until the
migrations build exactly what `schema` says, on both databases.
"""
