"""Which pictures a decoder may leave out, so that every other picture still comes out bit for bit.

A picture that no other picture refers to (most B-frames) can be left out for free. What counts as
one differs from codec to codec; where it is not certain, nothing is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from av.codec.context import CodecContext

Effort = Literal["DEFAULT", "NONREF"]
"""FFmpeg's names (AVDiscard) for leaving out nothing, and what nothing refers to."""

_ALWAYS = frozenset({"h264", "mpeg1video", "mpeg2video"})
"""H.264 marks such pictures in every slice (nal_ref_idc = 0, ITU-T H.264, 7.4.1); in MPEG-1 and -2
they are the B-pictures. MPEG-4 part 2 has B-pictures as well, but AVI packs them into the packet of
another picture, so that a packet's timestamp does not tell what is in it. VP8, VP9 and AV1 have no
such pictures: there, hidden ones are shown again by later packets."""

_HVCC_LAYERS_BYTE = 21
_HVCC_MIN_BYTES = 23


def may_leave_out(context: CodecContext) -> bool:
    """Say whether pictures that nothing refers to may be left out of this stream."""
    name = context.name
    if name in _ALWAYS:
        return True
    return name == "hevc" and _has_one_layer(bytes(context.extradata or b""))


def _has_one_layer(extradata: bytes) -> bool:
    """Say whether an HEVC stream is known to have one temporal layer only.

    A "sub-layer non-reference picture" is free of references within its own layer only; pictures of
    higher layers may refer to it (ITU-T H.265, 7.4.2.2). The number of layers stands in the
    decoder configuration record (ISO/IEC 14496-15, 8.3.3.1.2); 0 means unknown.
    """
    if len(extradata) < _HVCC_MIN_BYTES or extradata[0] != 1:
        return False
    return (extradata[_HVCC_LAYERS_BYTE] >> 3) & 0b111 == 1
