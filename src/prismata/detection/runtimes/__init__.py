"""The libraries that can run a model, behind two small protocols: one file each, and the choice."""

from prismata.detection.runtimes.onnx_runtime import (
    OnnxEncoder,
    OnnxHead,
    onnx_runtime_info,
    open_session,
)
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
    "RuntimeInfo",
    "TemporalHead",
    "onnx_runtime_info",
    "open_session",
    "sigmoid",
]
