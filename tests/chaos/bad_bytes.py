"""Bodies of wrong size, depth or encoding, and bodies that are no text at all."""

import bz2
import gzip
import json
import zlib
from base64 import b64encode
from random import Random
from urllib.parse import urlencode

from tests.chaos.valid_input import (
    FIELDS,
    MARK,
    MAX_BYTES,
    MAX_LEVELS,
    body,
    envelope,
    replaced,
    request,
    text_of,
)

# What RFC 3629 forbids, between ASCII: stray and missing continuations, overlong forms, surrogates, beyond U+10FFFF.
ILL_FORMED = (
    *(b"\x80", b"\xbf\xbf", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xfe", b"\xff", b"\xf8\x88\x80\x80\x80"),
    *(b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xe0\x9f\xbf", b"\xf0\x80\x80\xaf"),
    *(b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf"),
)


# Size and depth


def nothing(random: Random, canary: str) -> bytes:
    return b""


def blanks(random: Random, canary: str) -> bytes:
    return random.choice([b" ", b"\n", b"\r\n\t ", b"\xef\xbb\xbf", b"\x00", b"\xef\xbb\xbf \n"]) * random.randint(1, 9)


def padded_beyond_the_limit(random: Random, canary: str) -> bytes:
    marked = body(random, canary, padding=MARK)
    missing = MAX_BYTES + random.choice([1, 2, 999]) - len(marked) + len(MARK)
    return replaced(marked, MARK, b"x" * missing)


def blanks_beyond_the_limit(random: Random, canary: str) -> bytes:
    document, size = body(random, canary), MAX_BYTES + random.choice([1, 2, 999])
    return random.choice([document.ljust(size), document.rjust(size, b"\n")])


def fewer_characters_than_bytes(random: Random, canary: str) -> bytes:
    """Within the limit when characters are counted, beyond it in bytes."""
    return replaced(body(random, canary, padding=MARK), MARK, "\N{EURO SIGN}".encode() * (MAX_BYTES // 3 + 1))


def _nested(random: Random, levels: int) -> str:
    brackets = random.choices([("[", "]"), ('{"x":', "}")], k=levels)
    return "".join(opening for opening, _ in brackets) + "0" + "".join(closing for _, closing in reversed(brackets))


def too_deep(random: Random, canary: str) -> bytes:
    return text_of(random, canary, f'"x": {_nested(random, random.choice([MAX_LEVELS, MAX_LEVELS + 1, 100]))}').encode()


def too_deep_by_its_envelope(random: Random, canary: str) -> bytes:
    """The request alone would be of the depth that is allowed."""
    deep: object = json.loads(_nested(random, MAX_LEVELS - 1))
    return json.dumps(envelope(random, canary, data=request(random, canary, x=deep))).encode()


def thousands_of_levels(random: Random, canary: str) -> bytes:
    nested = random.choice([_nested(random, random.randint(1000, 9000)), "[" * 30_000 + "]" * 30_000])
    return text_of(random, canary, f'"x": {nested}').encode()


def thousands_of_levels_without_an_end(random: Random, canary: str) -> bytes:
    opening = random.choice(["[", '{"x":', "[{}, "])
    return f'{{"{canary}": {opening * random.choice([1_000, 9_000, 60_000 // len(opening)])}'.encode()


# Encodings


def utf_16(random: Random, canary: str) -> bytes:
    mark, encoding = random.choice(
        [(b"", "utf-16-le"), (b"", "utf-16-be"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")]
    )
    return mark + text_of(random, canary).encode(encoding)


def utf_32(random: Random, canary: str) -> bytes:
    mark, encoding = random.choice(
        [(b"", "utf-32-le"), (b"", "utf-32-be"), (b"\xff\xfe\0\0", "utf-32-le"), (b"\0\0\xfe\xff", "utf-32-be")]
    )
    return mark + text_of(random, canary).encode(encoding)


def utf_8_with_utf_16s_mark(random: Random, canary: str) -> bytes:
    return random.choice([b"\xff\xfe", b"\xfe\xff"]) + body(random, canary)


def ebcdic(random: Random, canary: str) -> bytes:
    return text_of(random, canary).encode("cp037")


def latin_1(random: Random, canary: str) -> bytes:
    letters = random.choice(["\u00e9", "\u00fc", "\u00c0\u00c9", "\u00ff"])
    return text_of(random, canary, f'"x": "Caf{letters} Z"').encode("latin-1")


def ill_formed_utf_8(random: Random, canary: str) -> bytes:
    name = random.choice(["x", "name", *FIELDS])
    value = f"{request(random, canary).get(name, '')}{MARK}"
    return replaced(body(random, canary, **{name: value}), MARK, random.choice(ILL_FORMED))


def ill_formed_utf_8_outside_of_strings(random: Random, canary: str) -> bytes:
    document, stray = body(random, canary), random.choice(ILL_FORMED)
    return random.choice([stray + document, document + stray, b"{" + stray + document[1:]])


# No text at all, or another format


def compressed(random: Random, canary: str) -> bytes:
    document = body(random, canary)
    packed = random.choice([gzip.compress(document, mtime=0), zlib.compress(document), bz2.compress(document)])
    return packed + canary.encode()


def base64(random: Random, canary: str) -> bytes:
    return b64encode(body(random, canary)) + random.choice([b"\n", b"", b"=="]) + canary.encode()


def random_bytes(random: Random, canary: str) -> bytes:
    """0xFF, which no UTF-8 has, stands somewhere."""
    before, after = (random.randbytes(random.randint(0, 200)) for _ in range(2))
    return before + canary.encode() + random.choice([b"\xff", b"\xff\xff"]) + after


def amqp_frame(random: Random, canary: str) -> bytes:
    """The sections of a message (AMQP 1.0, part 3.2), with or without a protocol header (part 2.2)."""
    document = body(random, canary)
    sections = random.choice([b"\x00Su\xb0", b"\x00Sw\xb1", b"\x00Sw\xa1", b"\x00Sp\xc0\x02\x01\x41\x00Su\xb0"])
    sections += len(document).to_bytes(4)
    header = random.choice([b"", b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"])
    return header + sections + document


def data_contract_string(random: Random, canary: str) -> bytes:
    """As .NET's old Service Bus clients sent a string: wrapped by DataContractSerializer's binary XML."""
    document = body(random, canary)
    size = len(document).to_bytes(2, "little")
    return b"@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/\x9a" + size + document + b"\x01"


def other_format(random: Random, canary: str) -> bytes:
    fields = {name: str(value) for name, value in request(random, canary).items() if name in FIELDS}
    rows = fields | {"note": canary}
    formats = [
        urlencode(rows),
        "".join(f"{name}: {value}\n" for name, value in rows.items()),
        "---\n" + "\n".join(f"{name}: {value}" for name, value in rows.items()),
        ",".join(rows) + "\n" + ",".join(rows.values()),
        "<request>" + "".join(f"<{name}>{value}</{name}>" for name, value in rows.items()) + "</request>",
        f"<!DOCTYPE html><title>502 Bad Gateway</title><p>{canary}",
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;{canary}</x>',
    ]
    return random.choice(formats).encode()
