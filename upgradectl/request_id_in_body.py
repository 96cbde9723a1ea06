"""A request id into a message's body that has none of its own, with every other character left as it is."""

import json
import re
from collections.abc import Iterator

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def with_request_id(body: bytes, request_id: str) -> bytes:
    """`body`: a request by the contract, whose `requestId` (in an envelope `data.requestId`) is absent or null."""
    text = body.decode("utf-8-sig")
    begins = _after_space(text, 0)
    members = {name: at for name, *at in _members(text, begins)}
    if "specversion" in members:
        begins = members["data"][0]
        members = {name: at for name, *at in _members(text, begins)}
    value = json.dumps(request_id)
    if "requestId" in members:
        first, end = members["requestId"]
        return f"{text[:first]}{value}{text[end:]}".encode()
    comma = ", " if members else ""
    return f'{text[: begins + 1]}"requestId": {value}{comma}{text[begins + 1 :]}'.encode()


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Of the object that begins there: each member's name, and where its value begins and ends."""
    at = _after_space(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        begins = _after_space(text, _after_space(text, at) + 1)  # the colon
        _, end = _DECODER.raw_decode(text, begins)
        yield name, begins, end
        at = _after_space(text, end)
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found
    return found.end()
