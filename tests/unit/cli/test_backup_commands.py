"""`backup`, `restore` and `migrate-storage` as an operator uses them, one after the other."""

import pytest

from prismata.catalog import newest_revision
from prismata.testing.synth import truth_csv


@pytest.fixture
def labelled(prismata, flashes, tmp_path):
    """A workbench with a labelled video."""
    (tmp_path / "labels.csv").write_text(truth_csv([flashes]))
    assert prismata("ingest", flashes.path, "--domain", "flashes", "--no-proxy").code == 0
    answer = prismata("labels", "import", tmp_path / "labels.csv", "--domain", "flashes", "--apply")
    assert answer.code == 0, answer.err


def test_a_workbench_moves_to_another_folder(
    prismata, labelled, flashes, tmp_path, monkeypatch, settings
):
    labels = prismata("labels", "list", "--domain", "flashes", "--json").out
    file, other = tmp_path / "one.backup", tmp_path / "other"
    made = prismata("backup", file, "--json").json
    assert made["schema"] == newest_revision()
    assert made["tables"]["event"]["rows"] == len(flashes.events)
    assert (made["objects"], sorted(made["left_out"])) == (2, ["renditions", "videos"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert prismata("backup", file).code == 73
    whole = prismata("restore", file, "--check", "--json").json
    assert whole["tables"] == made["tables"]

    plan = prismata("migrate-storage", "--to", other, "--dry-run", "--json").json
    assert plan["to_copy"]["objects"] == 4
    moved = prismata("migrate-storage", "--to", other, "--json").json
    assert moved["complete"]
    assert moved["settings"] == {
        "PRISMATA_STORAGE_BACKEND": "local",
        "PRISMATA_DATA_DIR": str(other),
        "PRISMATA_DATABASE_URL": settings.catalog_url,
    }

    monkeypatch.setenv("PRISMATA_DATA_DIR", str(other))
    report = prismata("restore", file, "--json").json
    assert (report["objects_put"], report["objects_same"]) == (0, 2)
    assert report["missing_videos"] == []
    assert prismata("labels", "list", "--domain", "flashes", "--json").out == labels
    refused = prismata("restore", file)
    assert (refused.code, "is not empty" in refused.err) == (73, True)


def test_labels_are_readable_and_missing_videos_told_where_only_the_catalog_came(
    prismata, labelled, flashes, tmp_path, monkeypatch, settings
):
    (mirror,) = (settings.storage_dir / "labels").rglob("*.json")
    content = mirror.read_bytes()
    assert prismata("backup", tmp_path / "rows.backup", "--catalog-only").code == 0
    monkeypatch.setenv("PRISMATA_DATA_DIR", str(tmp_path / "other"))
    answer = prismata("restore", tmp_path / "rows.backup")
    assert answer.code == 0
    assert "1 label mirrors written anew" in answer.out
    assert f"1 videos are not in the storage, the first is '{flashes.path.name}'" in answer.err
    (again,) = (tmp_path / "other" / "storage" / "labels").rglob("*.json")
    assert again.read_bytes() == content


def test_what_cannot_be_is_one_sentence(prismata, tmp_path):
    (tmp_path / "no.backup").write_text("no backup")
    for arguments, code, sentence in (
        (("restore", tmp_path / "none.backup"), 66, "there is no file"),
        (("restore", tmp_path / "no.backup", "--check"), 64, "damaged or no backup"),
        (("backup", tmp_path / "no folder" / "x"), 64, "there is no folder"),
        (("migrate-storage", "--to", "ftp://x"), 64, "name s3://bucket/prefix or a folder"),
    ):
        answer = prismata(*arguments)
        assert (answer.code, answer.out) == (code, "")
        assert sentence in answer.err
        assert "Traceback" not in answer.err
