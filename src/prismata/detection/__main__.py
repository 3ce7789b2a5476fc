"""`python -m prismata.detection`: the isolated detection child. Needs no torch."""

from __future__ import annotations

import sys

from prismata.core.child import child_main
from prismata.detection.child import DetectionChild
from prismata.detection.heap import use_one_arena

if __name__ == "__main__":
    use_one_arena()
    sys.exit(child_main(DetectionChild()))
