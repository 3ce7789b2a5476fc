"""What packets alone tell about frames, and when they cannot be believed."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import BadVideoError
from prismata.media.source import VideoSource, frame_tick

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

MAX_FRAMES = 20_000_000
HEAD_PACKETS = 48
TAIL_PACKETS = 300
TAIL_BYTES = 32_000_000
MAX_REORDER = 64


class PacketCensus:
    """Demuxes a whole file and notes the timestamps of the frames that will be shown.

    The first `HEAD_PACKETS` and the packets from the last key frame on are decoded as well: two
    cheap samples that show whether one packet is one frame in this file.

    Args:
        source: A freshly opened file; it is read to its end.

    Raises:
        BadVideoError: If there are more than `MAX_FRAMES` packets (`too_large`).
    """

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self._nal_size_bytes = _nal_size_bytes(source)
        self._codec = source.stream.codec_context.codec.canonical_name
        self._ticks = array("q")
        self._head_decoded: list[int | None] = []
        self._tail: list[Packet[VideoStream]] = []
        self._tail_bytes = 0
        self._last = (0, 0)
        self.packet_count = 0
        self.cut_off = 0
        """Packets that an edit list removes from the presentation."""
        self.doubts: list[str] = []
        """Why the packets cannot be believed; empty if they can."""
        for packet in source.packets():
            if packet.size:
                self._count(packet)
        self._check_order()
        self._check_tail()

    @property
    def ticks(self) -> NDArray[np.int64]:
        """Sorted, distinct timestamps of the frames shown."""
        return np.unique(np.frombuffer(self._ticks, dtype=np.int64))

    @property
    def last_duration(self) -> int:
        """Declared ticks for which the last frame stays; 0 = not declared."""
        return self._last[1]

    def _count(self, packet: Packet[VideoStream]) -> None:
        self.packet_count += 1
        if self.packet_count > MAX_FRAMES:
            raise BadVideoError(
                f"{self._source.path.name!r} has more than {MAX_FRAMES:,} frames; cut it first",
                reason="too_large",
            )
        if packet.is_corrupt:
            self._doubt("a packet is marked as damaged")
        if self._nal_size_bytes and not _nal_chain_holds(packet, self._nal_size_bytes):
            self._doubt("a packet is damaged inside")
        self._note_time(packet)
        self._sample_head(packet)
        self._keep_tail(packet)

    def _note_time(self, packet: Packet[VideoStream]) -> None:
        if packet.is_discard:
            self.cut_off += 1
        elif not _is_shown(self._codec, packet):
            return
        elif packet.pts is None:
            self._doubt("a packet has no timestamp")
        else:
            self._ticks.append(packet.pts)
            self._last = max(self._last, (packet.pts, packet.duration or 0))

    def _sample_head(self, packet: Packet[VideoStream]) -> None:
        if self.packet_count > HEAD_PACKETS:
            return
        source = self._source
        self._head_decoded += self._decoded_ticks(packet)
        if self.packet_count == HEAD_PACKETS:
            self._check_head(complete=False)
            source.stream.codec_context.flush_buffers()

    def _check_head(self, *, complete: bool) -> None:
        expected = sorted(self._ticks)
        if not complete:
            expected = expected[: len(self._head_decoded)]
        if self._source.decode_errors or self._head_decoded != expected:
            self._doubt("the first packets are not one frame each")

    def _keep_tail(self, packet: Packet[VideoStream]) -> None:
        if packet.is_keyframe:
            self._tail, self._tail_bytes = [], 0
        elif not self._tail:
            return
        self._tail_bytes += packet.size
        self._tail.append(packet)
        if len(self._tail) > TAIL_PACKETS or self._tail_bytes > TAIL_BYTES:
            self._tail = []

    def _check_tail(self) -> None:
        if self.packet_count < HEAD_PACKETS:
            self._head_decoded += self._decoded_ticks(None)
            self._check_head(complete=True)
            return
        if self.doubts or not self._tail or self._tail[0].pts is None:
            return
        start = self._tail[0].pts
        expected = [one for one in self.ticks.tolist() if one >= start]
        decoded = [tick for one in self._tail for tick in self._decoded_ticks(one)]
        decoded += self._decoded_ticks(None)
        self._tail = []
        if [one for one in decoded if one is not None and one >= start] != expected:
            self._doubt("the last packets are not one frame each")

    def _decoded_ticks(self, packet: Packet[VideoStream] | None) -> list[int | None]:
        frames = self._source.decode(packet)
        if any(frame.is_corrupt for frame in frames):
            self._doubt("a frame had to be patched up")
        return [frame_tick(frame) for frame in frames]

    def _check_order(self) -> None:
        if self._source.read_errors:
            self._doubt("the file cannot be read to its end")
        ticks = np.frombuffer(self._ticks, dtype=np.int64)
        if ticks.size == 0:
            self._doubt("no packet has a timestamp")
            return
        order = np.argsort(ticks, kind="stable")
        if np.max(np.abs(order - np.arange(ticks.size))) > MAX_REORDER:
            self._doubt("timestamps jump back")
        if np.any(np.diff(ticks[order]) == 0):
            self._doubt("two packets have one timestamp")

    def _doubt(self, why: str) -> None:
        if why not in self.doubts:
            self.doubts.append(why)


def _is_shown(codec: str, packet: Packet[VideoStream]) -> bool:
    """Say whether a VP8 or VP9 packet shows a frame; all others do.

    Alternate reference frames may travel in packets of their own that show nothing: VP8 (RFC 6386,
    9.1) bit 4 of the first byte, VP9 (bitstream specification 6.2) `show_frame`.
    """
    if codec not in ("vp8", "vp9"):
        return True
    data = memoryview(packet)
    first = data[0]
    if codec == "vp8":
        return bool(first & 0x10)
    if data[-1] & 0xE0 == 0xC0:  # a superframe: hidden frames and the one that is shown
        return True
    if first & 0x30 == 0x30:  # profile 3 has one reserved bit more
        first <<= 1
    show_existing, show = first & 0x08, first & 0x02
    return bool(show_existing or show)


def _nal_size_bytes(source: VideoSource) -> int:
    """Return how many bytes precede each NAL unit (ISO/IEC 14496-15); 0 if it is not so stored."""
    codec = source.stream.codec_context.codec.canonical_name
    extra = bytes(source.stream.codec_context.extradata or b"")
    if codec == "h264" and len(extra) > 6 and extra[0] == 1:
        return (extra[4] & 3) + 1
    if codec == "hevc" and len(extra) > 22 and extra[0] == 1:
        return (extra[21] & 3) + 1
    return 0


def _nal_chain_holds(packet: Packet[VideoStream], size_bytes: int) -> bool:
    """Say whether the NAL units fill the packet exactly; overwritten stretches break the chain."""
    data = memoryview(packet)
    position, end = 0, len(data)
    while position < end:
        size = int.from_bytes(data[position : position + size_bytes], "big")
        if size == 0:
            return False
        position += size_bytes + size
    return position == end
