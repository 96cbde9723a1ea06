"""What the campaign calls bad input and the parser's opinion of it, held against each other."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from random import Random
from statistics import median

import pytest

from local.component import REPOSITORY
from shared.errors import InvalidRequest
from shared.messages import Message, parse
from shared.models import UpgradeRequest
from tests.chaos import bad_bytes, bad_envelopes, bad_fields, bad_input, bad_json, valid_input
from tests.chaos.bad_input import KINDS, WITHOUT_CANARY, bad_bodies, odd_but_valid

CANARY = "canary-1f-00c0ffee"
CUSTOMER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6"
ENQUEUED = datetime(2026, 3, 1, 12, 0, 0, 0, UTC)
REQUEST_IDS = ["r1", "wave-1/contoso", "'or''=\"", "\\u0041\\", 'x"id', "data", "@@", "~" * 128, *"!a9"]
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp037")


def parsed(body: bytes) -> UpgradeRequest:
    return parse(Message(body, "message-1", 7, ENQUEUED), ["Azure"])


def refusal(body: bytes) -> InvalidRequest:
    try:
        found = parsed(body)
    except InvalidRequest as refused:
        return refused
    pytest.fail(f"taken for {found}: {body[:500]!r}")


def refusals(kind: str, count: int = 40) -> Iterator[InvalidRequest]:
    return (refusal(KINDS[kind](Random(seed), CANARY)) for seed in range(count))


def kinds_of(module: object, *starts: str) -> list[str]:
    return [name for name, kind in KINDS.items() if vars(module).get(name) is kind and name.startswith(starts or "")]


def odd_bodies(count: int) -> Iterator[tuple[str, bytes]]:
    """Request ids, and bodies that are these requests."""
    random = Random(2)
    for number in range(count):
        request_id = REQUEST_IDS[number % len(REQUEST_IDS)]
        yield request_id, odd_but_valid(random, CUSTOMER, request_id, CANARY)


def digest(seed: int) -> str:
    return sha256(b"".join(islice(bad_bodies(Random(seed), CANARY), 2 * len(KINDS)))).hexdigest()


# Bad input


@pytest.mark.parametrize("seed", range(200))
def test_what_bad_input_starts_from_is_a_request(seed: int) -> None:
    written, text = valid_input.body(Random(seed), CANARY), valid_input.text_of(Random(seed), CANARY, '"x": 1')
    for body in (written, text.encode()):
        assert CANARY.encode() in body
        assert parsed(body).request_id.startswith("wave-")


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_of_any_kind_is_refused_and_not_quoted(kind: str) -> None:
    for refused in refusals(kind):
        assert CANARY not in f"{refused} {refused!r} {refused.reason} {refused.where}"


def test_a_long_stream_is_refused() -> None:
    for body in islice(bad_bodies(Random(1), CANARY), 3000):
        refusal(body)


def test_there_are_many_kinds_and_none_hides_another() -> None:
    modules = (bad_fields, bad_envelopes, bad_json, bad_bytes)
    assert len(KINDS) == sum(len(kinds_of(module)) for module in modules) >= 80


@pytest.mark.parametrize(
    ("field", "starts"),
    [("customerId", ("customer_id", "guid")), ("productFamily", ("family",)), ("requestId", ("request_id",))],
)
def test_a_wrong_field_is_refused_for_that_field(field: str, starts: tuple[str, ...]) -> None:
    kinds = kinds_of(bad_fields, *starts)
    assert len(kinds) >= 6
    for kind in set(kinds) - {"customer_id_as_an_odd_number"}:  # its digits may be too many for any field
        assert {refused.where for refused in refusals(kind)} == {f"$.{field}", f"$.data.{field}"}, kind


def test_a_wrong_envelope_is_json_in_utf_8() -> None:
    for kind in kinds_of(bad_envelopes):
        assert not {refused.reason for refused in refusals(kind)} & {"not JSON", "not UTF-8"}, kind


def test_what_is_nearly_json_is_refused_for_that() -> None:
    for kind in kinds_of(bad_json):
        expected = "a property is named twice" if "named_twice" in kind else "not JSON"
        reasons = {refused.reason for refused in refusals(kind)}
        assert reasons == {expected if "constant" not in kind else "NaN and Infinity are not JSON"}, kind


def test_what_is_too_long_or_too_deep_is_refused_for_that() -> None:
    for kind in kinds_of(bad_bytes, "padded", "blanks_", "fewer"):
        assert {refused.reason for refused in refusals(kind)} == {"longer than 65536 bytes"}, kind
    for kind in ("too_deep", "too_deep_by_its_envelope", "thousands_of_levels"):
        assert {refused.reason for refused in refusals(kind)} == {"deeper than 16 levels"}, kind


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"nothing"}))
def test_the_bodies_of_a_kind_differ(kind: str) -> None:
    bodies = [KINDS[kind](Random(seed), CANARY) for seed in range(40)]
    assert len(set(bodies)) > 5
    carrying = [any(CANARY.encode(encoding) in body for encoding in ENCODINGS) for body in bodies]
    assert not any(carrying) if kind in WITHOUT_CANARY else all(carrying)


def test_most_bodies_are_small() -> None:
    sizes = [len(body) for body in islice(bad_bodies(Random(3), CANARY), 500)]
    assert median(sizes) < 1000
    assert max(sizes) < 70_000


# The stream


def test_every_kind_occurs_in_each_round_in_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(KINDS)

    def saying(name: str) -> Callable[[Random, str], bytes]:
        return lambda random, canary: name.encode()

    monkeypatch.setattr(bad_input, "KINDS", {name: saying(name) for name in names})
    said = [body.decode() for body in islice(bad_bodies(Random(4), CANARY), 2 * len(names))]
    first, second = said[: len(names)], said[len(names) :]
    assert sorted(first) == sorted(second) == sorted(names)
    assert first != second


def test_the_same_seed_gives_the_same_bodies_in_any_process() -> None:
    code = "from tests.unit.test_chaos_bad_input import digest; print(digest(5))"
    # Texts hash otherwise in each process: nothing may depend on the order of a set.
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == digest(5) != digest(6)


# Odd but valid


def test_an_odd_body_is_the_request_that_was_asked_for() -> None:
    for request_id, body in odd_bodies(3000):
        assert CANARY.encode() in body
        assert parsed(body) == UpgradeRequest(CUSTOMER, "Azure", request_id, ENQUEUED), body[:500]


ODD_FORMS: Mapping[str, Callable[[bytes], bool]] = {
    "byte-order mark": lambda body: body.startswith(b"\xef\xbb\xbf"),
    "64 KiB": lambda body: len(body) == 64 * 1024,
    "escapes in a name": lambda body: b"\\u00" in body and b'"customerId"' not in body,
    "plain": lambda body: b"/orders" not in body,
    "envelope": lambda body: b"/orders" in body,
    "named by the event": lambda body: b"/orders" in body and b'"requestId": null' in body,
    "upper case": lambda body: CUSTOMER.upper().encode() in body,
    "family in any case": lambda body: b"aZURE" in body,
    "all levels": lambda body: b'"bottom"' in body,
    "lone surrogate": lambda body: b"\\ud83d" in body,
    "beyond ASCII": lambda body: not body.removeprefix(b"\xef\xbb\xbf").isascii(),
    "blanks": lambda body: b"\t:\n" in body,
}


@pytest.mark.parametrize("form", ODD_FORMS)
def test_odd_forms_are_many(form: str) -> None:
    assert 3 <= sum(ODD_FORMS[form](body) for _, body in odd_bodies(300)) < 250


def test_the_depth_and_the_length_that_are_allowed_are_used_up() -> None:
    """One level or one byte more, and the bodies would be none."""
    bodies = [body for _, body in odd_bodies(300)]
    deeper = [body.replace(b'"bottom"', b"[]") for body in bodies if b'"bottom"' in body]
    longer = [body + b" " for body in bodies if len(body) == 64 * 1024]
    assert {refusal(body).reason for body in deeper} == {"deeper than 16 levels"}
    assert {refusal(body).reason for body in longer} == {"longer than 65536 bytes"}
