"""The sections of a message, taken apart without being decoded."""

import math

import pytest

from local.amqp.encoding import encode
from local.amqp.errors import DecodeError
from local.amqp.messages import DATA, HEADER, Section, map_entries, sections
from local.amqp.values import UByte


def test_a_section_keeps_its_bytes_and_gets_a_short_descriptor() -> None:
    message = b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x70\x45" + b"\x00\x53\x75\xa0\x02hi"

    assert sections(message) == [Section(HEADER, b"\x45"), Section(DATA, b"\xa0\x02hi")]
    assert sections(message)[0].encode() == b"\x00\x53\x70\x45"


@pytest.mark.parametrize("message", [b"\x41", b"\x00\x53\x10\x45", b"\x00\xa3\x01a\x45", b"\x00\x53\x75\xa0\x05hi"])
def test_what_is_no_section_is_refused(message: bytes) -> None:
    with pytest.raises(DecodeError):
        sections(message)


def test_entries_of_a_map_stay_encoded() -> None:
    entries = map_entries(encode({"a": UByte(1), "b": math.inf}))

    assert entries == {"a": b"\xa1\x01a\x50\x01", "b": encode("b") + encode(math.inf)}
