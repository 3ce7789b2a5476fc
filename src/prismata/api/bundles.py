"""Models as one download: the published bundle, zipped on disk and streamed."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from prismata.api.answers import forbidden, refusal
from prismata.api.asking import note_deed
from prismata.core.errors import UserError
from prismata.services.access import is_token_valid
from prismata.services.models import export_model
from prismata.services.workbench import Workbench


class BundleRoute:
    """Answers with a model's zip.

    Args:
        bench: The workbench.
        secret: What tokens were signed with.
    """

    def __init__(self, bench: Workbench, secret: bytes) -> None:
        self._bench = bench
        self._secret = secret

    def answer(self, request: Request) -> Response:
        """Export the model to a temporary folder and send it as a zip."""
        model_id = request.path_params["model_id"]
        token = request.query_params.get("token", "")
        if not is_token_valid(self._secret, token, "model", model_id):
            return forbidden()
        folder = Path(tempfile.mkdtemp(prefix="prismata-export-"))
        try:
            model = self._bench.catalog.models.get(model_id)
            note_deed(request, model.name)
            export_model(self._bench, model.id, folder / "bundle")
            archive = _zip(folder / "bundle", folder / "bundle.zip", model.name)
        except UserError as error:
            shutil.rmtree(folder, ignore_errors=True)
            return refusal(error)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return FileResponse(
            archive,
            media_type="application/zip",
            filename=f"{model.name}.zip",
            headers={"Cache-Control": "no-store"},
            background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
        )


def _zip(folder: Path, target: Path, name: str) -> Path:
    # Stored, not deflated: weights hardly shrink, and a 2-core machine has better things to do.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}")
    shutil.rmtree(folder)
    return target
