"""Room: media. Files to frames: probe, scan, readers, the one resize.

Invariant: a frame is addressed by its index on the file's `FrameTimeline`, built from real
timestamps; what a reader returns for an index is that frame or an error.
"""

from prismata.media.description import describe
from prismata.media.facts import VideoProbe, probe
from prismata.media.pixels import Frame
from prismata.media.readers import READERS, VideoReader, open_video, sample_frames
from prismata.media.scanning import ScanResult, scan
from prismata.media.stills import save_still

__all__ = [
    "READERS",
    "Frame",
    "ScanResult",
    "VideoProbe",
    "VideoReader",
    "describe",
    "open_video",
    "probe",
    "sample_frames",
    "save_still",
    "scan",
]
