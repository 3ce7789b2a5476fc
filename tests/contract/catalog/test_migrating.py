"""A catalog that an older program wrote, opened by this one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from prismata.catalog import open_catalog
from prismata.catalog.upgrades import _config
from prismata.core.coverage import CoverageSpan

NOW = datetime(2030, 1, 1, tzinfo=UTC)

VIDEO = """
    INSERT INTO video VALUES (:id, :id, :key, :digest, 1, 'mov', 'h264', 64, 64, 0, 100,
      :duration_us, 0, 40000, 40000, 'timeline', 'group', 'cricket', '[]', :now)
"""
EVENT = """
    INSERT INTO event VALUES (:id, :video, :domain, 1, 5, 5, 'hit', 'point', NULL, 'annotation',
      'anna', NULL, NULL, 'none', '', :no, NULL, NULL, '{}', :now, :now, 1)
"""


@pytest.fixture
def first_schema(empty_url, tmp_path):
    """Make a catalog of the first schema with labels in two of three videos."""
    (tmp_path / "new folder").mkdir()
    engine = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    now = NOW.replace(tzinfo=None) if engine.dialect.name == "sqlite" else NOW
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for name, duration_us in (("labelled", 9_000_001), ("both", 5), ("bare", 7)):
            connection.execute(
                text(VIDEO),
                {
                    "id": name,
                    "key": f"videos/{name}",
                    "digest": name.rjust(64, "0"),
                    "duration_us": duration_us,
                    "now": now,
                },
            )
        for video, domain in (("labelled", "cricket"), ("both", "cricket"), ("both", "falls")):
            for number in range(2):
                connection.execute(
                    text(EVENT),
                    {
                        "id": f"{video}-{domain}-{number}",
                        "video": video,
                        "domain": domain,
                        "no": False,
                        "now": now,
                    },
                )
    engine.dispose()
    return empty_url


def test_labels_from_before_coverage_count_as_complete_as_they_did_until_now(first_schema):
    with open_catalog(first_schema) as catalog:
        assert {
            (sheet.video_id, sheet.domain): sheet.coverage for sheet in catalog.labels.sheets()
        } == {
            ("labelled", "cricket"): (CoverageSpan(0, 9_000_001, "watched"),),
            ("both", "cricket"): (CoverageSpan(0, 5, "watched"),),
            ("both", "falls"): (CoverageSpan(0, 5, "watched"),),
        }
        assert catalog.labels.sheet("bare", "cricket").coverage == ()
        loaded = catalog.labels.load("both", "cricket")
        assert [row[0] for row in loaded.rows] == ["both-cricket-0", "both-cricket-1"]
        assert (loaded.sheet.seq, loaded.sheet.status) == (0, "in_progress")
        # Their mirrors know nothing of coverage yet.
        assert len(catalog.labels.not_mirrored()) == 3
