"""`python -m prismata.worker.prepare`: the child that makes proxies, thumbnails and waveforms."""

from __future__ import annotations

import sys

from prismata.core.child import child_main, loading

with loading():
    from prismata.worker.prepare.run import prepare

if __name__ == "__main__":
    sys.exit(child_main(prepare))
