"""The libraries that can run a model, behind two small protocols: one file each, and the choice."""

from prismata.core.runtimes import available_runtimes as available
from prismata.detection.runtimes.choice import RuntimeChoice, choose_runtime
from prismata.detection.runtimes.onnx_runtime import (
    OnnxEncoder,
    OnnxHead,
    onnx_runtime_info,
    open_session,
)
from prismata.detection.runtimes.openvino_runtime import OpenVinoEncoder
from prismata.detection.runtimes.protocol import (
    FrameEncoder,
    RuntimeInfo,
    TemporalHead,
    sigmoid,
)

__all__ = [
    "FrameEncoder",
    "OnnxEncoder",
    "OnnxHead",
    "OpenVinoEncoder",
    "RuntimeChoice",
    "RuntimeInfo",
    "TemporalHead",
    "available",
    "choose_runtime",
    "onnx_runtime_info",
    "open_session",
    "sigmoid",
]
