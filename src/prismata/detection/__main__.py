"""`python -m prismata.detection`: the isolated detection child. Needs no torch."""

from __future__ import annotations

import sys

from prismata.core.child import child_main
from prismata.detection.child import DetectionChild

if __name__ == "__main__":
    sys.exit(child_main(DetectionChild()))
