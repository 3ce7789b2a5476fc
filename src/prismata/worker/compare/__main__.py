"""`python -m prismata.worker.compare`: the child that looks for footage in several videos."""

from __future__ import annotations

import sys

from prismata.core.child import child_main, loading

with loading():
    from prismata.worker.compare.run import compare

if __name__ == "__main__":
    sys.exit(child_main(compare))
