"""`python -m prismata.worker.train`: the child for everything that needs torch."""

from __future__ import annotations

from typing import Any

from prismata.core.child import ChildReporter, child_main, leave_after, loading
from prismata.core.errors import InvalidInputError, UnavailableError


def handle(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Do what `request["task"]` says: `train`, `search`, `export` or `detect`."""
    try:
        with loading():
            from prismata.worker.train.export import run_export
            from prismata.worker.train.run import run_training
            from prismata.worker.train.search import run_search
            from prismata.worker.train.torch_detection import run_torch_detection
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("torch", "torchvision", "onnx"):
            raise
        raise UnavailableError(
            f"this needs the train extra, but {error.name} is not installed: "
            'pip install "prismata[train]"'
        ) from error
    tasks = {
        "train": run_training,
        "search": run_search,
        "export": run_export,
        "detect": run_torch_detection,
    }
    task = tasks.get(str(request.get("task")))
    if task is None:
        raise InvalidInputError(
            f"unknown task {request.get('task')!r}; there is {', '.join(sorted(tasks))}"
        )
    return task(request, reporter)


if __name__ == "__main__":
    leave_after(lambda: child_main(handle))
