"""Where encoded values end (AMQP 1.0, part 1.2: every constructor tells the width), for those who only pass them on."""

from struct import Struct

from local.amqp.decoding import MALFORMED
from local.amqp.errors import DecodeError

_UINT = Struct(">I").unpack_from
_FIXED_WIDTHS = {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}


def skip(buffer: bytes, offset: int) -> int:
    """The offset behind the value that begins here, without looking into it.

    Raises:
        DecodeError: it is cut off.
    """
    try:
        end = _skip(buffer, offset)
    except MALFORMED as failure:
        raise DecodeError(f"no AMQP value at byte {offset}: {failure!r}") from failure
    if end > len(buffer):
        raise DecodeError(f"the value at byte {offset} is cut off")
    return end


def decode_size_and_count(buffer: bytes, offset: int) -> tuple[int, int]:
    """Of the list or map that begins here: how many values it holds, and the offset of the first.

    Raises:
        DecodeError: it is no list and no map.
    """
    code = buffer[offset] if offset < len(buffer) else 0
    if code == 0x45:
        return 0, offset + 1
    if code in (0xC0, 0xC1) and offset + 2 < len(buffer):
        return buffer[offset + 2], offset + 3
    if code in (0xD0, 0xD1) and offset + 8 < len(buffer):
        return int(_UINT(buffer, offset + 5)[0]), offset + 9
    raise DecodeError(f"no list and no map at byte {offset}")


def _skip(buffer: bytes, offset: int) -> int:
    code = buffer[offset]
    if code == 0:
        return _skip(buffer, _skip(buffer, offset + 1))
    width = code >> 4
    if width in _FIXED_WIDTHS:
        return offset + 1 + _FIXED_WIDTHS[width]
    if width in (0xA, 0xC, 0xE):
        return offset + 2 + buffer[offset + 1]
    if width in (0xB, 0xD, 0xF):
        return offset + 5 + int(_UINT(buffer, offset + 1)[0])
    raise DecodeError(f"no AMQP type has the constructor {code:#04x}")
