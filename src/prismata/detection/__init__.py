"""The detection engine: frames → features → scores → events, without torch.

Invariant: each sampled frame is decoded once and encoded once; what production runs here is what
training's parity gate and frozen-feature path run too. And it stays here: libraries that report
home about the models they load are kept from it.
"""

import os

# Since 1.29 ONNX Runtime writes a device number below the user's home and reports the models it
# loads to its makers, unless it finds this when it is loaded (docs/adr/0016-runtimes.md).
os.putenv("ORT_DISABLE_TELEMETRY", "1")
