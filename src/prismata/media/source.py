"""The one door through which FFmpeg sees a file: as a plain local file in a known container.

Whatever the name or the content says, no other file and no address is opened: demuxers that follow
references (playlists, concat lists, image sequences) are not on the list of allowed formats, and
`file` is the only protocol.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from prismata.core.errors import BadVideoError
from prismata.core.machine import usable_cores
from prismata.media.refusals import check_is_readable_file, refusal

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from prismata.media.skipping import Effort

MAX_PIXELS = 40_000_000
PROBED_PIXELS = 4 * MAX_PIXELS
"""Up to here FFmpeg may look at a frame, so that a refusal can say how large it is."""
MAX_READ_ERRORS = 16
MAX_THREADS = 8

# Sound formats are listed so that a sound file is refused as what it is.
FORMATS = (
    "3gp,aac,asf,av1,avi,dhav,dv,flac,flv,gxf,h264,hevc,ivf,m4v,matroska,mov,mp3,mp4,mpeg,mpegts,"
    "mpegvideo,mxf,nut,obu,ogg,rm,swf,vc1,wav,webm,wtv,yuv4mpegpipe"
)


class VideoSource:
    """An open container and the one video stream of it that counts; a context manager.

    The stream is the first that is on by default and not a cover picture: the same that browsers
    play. All other streams are discarded by the demuxer.

    Args:
        path: The file; any name is taken literally.
        threads: Decoder threads; 0 = as many as there are cores, 8 at most.

    Raises:
        BadVideoError: If there is no video in it that can be decoded, with the reason.
    """

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        self.path = path
        self.decode_errors = 0
        """Packets that the decoder refused so far."""
        self.read_errors = 0
        """Times that the demuxer failed so far; after `MAX_READ_ERRORS` the rest is given up."""
        self.container = open_container(path)
        try:
            self.stream = _choose_stream(self.container, path)
            _check_size(path, self.stream.codec_context.width, self.stream.codec_context.height)
            _prepare_streams(self.container, self.stream, threads)
            self.time_base = _time_base(self.stream, path)
            self.video_place = list(self.container.streams.video).index(self.stream)
        except BaseException:
            self.container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self.container.close()

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield the stream's packets in file order; some are empty (nothing was coded then).

        A read error is counted and reading goes on behind it; after `MAX_READ_ERRORS` the rest is
        given up, which is what bounds the work on a broken file.
        """
        import av

        while True:
            try:
                yield from self.container.demux(self.stream)
            except av.FFmpegError:
                self.read_errors += 1
                if self.read_errors >= MAX_READ_ERRORS:
                    return
            else:
                return

    def decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """Return the frames that come out when a packet (or None, the end) goes in.

        A packet that the decoder refuses is counted and gives nothing.

        Raises:
            BadVideoError: If a frame is larger than allowed.
        """
        import av

        try:
            frames = self.stream.codec_context.decode(packet)
        except av.FFmpegError:
            self.decode_errors += 1
            return []
        for frame in frames:
            _check_size(self.path, frame.width, frame.height)
        return frames

    def frames(
        self, effort: Callable[[Packet[VideoStream]], Effort] | None = None
    ) -> Iterator[VideoFrame]:
        """Decode from the current position to the end, in presentation order.

        Args:
            effort: Says of each packet which pictures the decoder may leave out of it.
        """
        context = self.stream.codec_context
        for packet in self.packets():
            if packet.size:
                if effort is not None:
                    # Decoder threads take this setting over with the packet they are given.
                    context.skip_frame = effort(packet)
                yield from self.decode(packet)
        yield from self.decode(None)

    def key_pictures(self) -> Iterator[VideoFrame]:
        """Decode the key frames from the current position to the end and nothing else.

        Each is drained out of the decoder by itself: without the pictures in between, the decoder
        would hold them back and put those of open groups into another order.
        """
        for packet in self.packets():
            if packet.size and packet.is_keyframe:
                yield from self.decode(packet)
                yield from self.decode(None)
                self.stream.codec_context.flush_buffers()

    def first_frame(self, *, max_packets: int = 2000) -> VideoFrame:
        """Decode up to the first frame that comes out.

        Raises:
            BadVideoError: If none comes out of the first `max_packets` packets (`no_frames` if
                there are no packets at all, else `encrypted` or `damaged`).
        """
        count = 0
        for packet in self.packets():
            if not packet.size:
                continue
            count += 1
            if packet.has_sidedata("encryption_info"):
                raise _encrypted(self.path)
            if frames := self.decode(packet):
                return frames[0]
            if count >= max_packets:
                break
        if frames := self.decode(None):
            return frames[0]
        if count == 0:
            raise BadVideoError(
                f"{self.path.name!r} has a video track, but not a single frame in it; record or "
                "export it again",
                reason="no_frames",
            )
        raise BadVideoError(
            f"{self.path.name!r} cannot be decoded: not one frame came out of its first {count} "
            "packets; copy or export it again",
            reason="damaged",
        )


def frame_tick(frame: VideoFrame) -> int | None:
    """Return a frame's timestamp in ticks of its stream; AVI often has only decoding times."""
    return frame.pts if frame.pts is not None else frame.dts


def open_container(path: Path) -> InputContainer:
    """Open a file through the door: in a known container, with no other file behind it.

    Raises:
        BadVideoError: If it cannot be opened, with the reason.
    """
    import av

    check_is_readable_file(path)
    name = f"file:{path.absolute()}"
    handle = None
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # a name in some other encoding: go by descriptor
        handle = os.open(path, os.O_RDONLY)
        name = f"file:/dev/fd/{handle}"
    try:
        return av.open(
            name,
            metadata_errors="replace",
            container_options={"format_whitelist": FORMATS, "protocol_whitelist": "file"},
            options={"max_pixels": str(PROBED_PIXELS)},
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise refusal(path, error) from error
    finally:
        if handle is not None:
            os.close(handle)


def _choose_stream(container: InputContainer, path: Path) -> VideoStream:
    from av.stream import Disposition

    videos = list(container.streams.video)
    moving = [one for one in videos if not one.disposition & Disposition.attached_pic]
    if not moving:
        if videos:
            raise BadVideoError(
                f"{path.name!r} holds sound and a cover picture, but no video; choose another file",
                reason="attached_picture",
            )
        others = sorted({str(stream.type) for stream in container.streams})
        raise BadVideoError(
            f"{path.name!r} has no video track (only: {', '.join(others) or 'nothing'}); choose "
            "another file",
            reason="no_video_stream",
        )
    default = [one for one in moving if one.disposition & Disposition.default]
    stream = (default or moving)[0]
    if stream.metadata.get("enc_key_id"):
        raise _encrypted(path)
    if stream.codec_context is None:
        raise BadVideoError(
            f"{path.name!r} is coded in a way that cannot be decoded here; convert it to H.264",
            reason="unsupported_codec",
        )
    if stream.codec_context.codec_tag in {"encv", "drmi"}:
        raise _encrypted(path)
    return stream


def _time_base(stream: VideoStream, path: Path) -> Fraction:
    if stream.time_base is None or stream.time_base <= 0:
        raise BadVideoError(
            f"{path.name!r} does not say what its timestamps mean; convert it to MP4 first",
            reason="damaged",
        )
    return stream.time_base


def _prepare_streams(container: InputContainer, stream: VideoStream, threads: int) -> None:
    from av.stream import Discard

    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    context = stream.codec_context
    context.options = {"max_pixels": str(MAX_PIXELS)}
    context.thread_type = "AUTO"  # PyAV's default, SLICE, leaves most files on one core
    context.thread_count = threads or min(MAX_THREADS, usable_cores())


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadVideoError(
            f"{path.name!r} has frames of {width}x{height} pixels; at most "
            f"{MAX_PIXELS // 1_000_000} million pixels are read, so scale it down first",
            reason="too_large",
        )


def _encrypted(path: Path) -> BadVideoError:
    return BadVideoError(
        f"{path.name!r} is encrypted (copy protection); export it without protection",
        reason="encrypted",
    )
