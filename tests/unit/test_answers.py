"""What holds of every answer: whatever its body is, it is a value or a failed call, and its texts do no harm."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import answers, errors
from shared.answers import InPlace, UpgradeStatus
from shared.refusals import TABLE
from tests.unit.replies import UPGRADE, answer, created, failure

NO_OBJECTS = [
    b"",
    b" ",
    b"<html><body>Blocked</body></html>",
    b"null",
    b"[]",
    b'[{"code": 900105}]',
    b'"900105"',
    b"900105",
    b'{"code": 900105',
    b"{'code': 900105}",
    b'\xff\xfe{\x00}\x00"',
    b"\x1f\x8b\x08\x00",
    b'{"code": 9' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"a":' * 40 + b"1" + b"}" * 40,
]


@pytest.mark.parametrize("body", NO_OBJECTS, ids=range(len(NO_OBJECTS)))
@pytest.mark.parametrize("http_status", [400, 403, 404, 409])
def test_a_refusal_that_is_no_json_object_came_from_something_in_between(http_status: int, body: bytes) -> None:
    reply = answer(http_status, body)
    assert type(failure(reply)) is errors.OutcomeUnknown
    with pytest.raises(errors.OutcomeUnknown):
        created(reply)


@pytest.mark.parametrize("body", NO_OBJECTS, ids=range(len(NO_OBJECTS)))
def test_a_2xx_that_is_no_json_object_leaves_the_outcome_unknown(body: bytes) -> None:
    assert type(failure(answer(200, body))) is errors.OutcomeUnknown


def test_an_answer_may_begin_with_a_byte_order_mark() -> None:
    body = b'\xef\xbb\xbf{"code": 900105}'
    assert type(failure(answer(403, body))) is errors.RefusedForGood


def test_texts_are_cut_and_can_be_stored() -> None:
    error = failure(answer(403, {"code": 1, "description": "\ud800" + "ä" * 9000}))
    assert len(error.description) == answers.MAX_TEXT
    assert error.description.startswith("?ä")


def test_an_errors_own_text_never_quotes_the_services() -> None:
    error = failure(answer(403, {"code": "900105", "description": "of Contoso Ltd"}))
    assert "Contoso" not in f"{error} {error!r}"


WORDS = st.sampled_from(["Completed", "Failed", "InProgress", UPGRADE, "900109", "900421", "\ud800", ""])
CODES = st.sampled_from([refusal.code for refusal in TABLE]).flatmap(lambda code: st.sampled_from([code, int(code)]))
NAMES = st.sampled_from(
    ["code", "description", "message", "id", "status", "lineItems", "errorDetails", "isEligible", "upgradeId", "reason"]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, CODES, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=10,
)
BODIES = st.one_of(st.dictionaries(NAMES, VALUES, max_size=6), VALUES).map(lambda value: json.dumps(value).encode())
STATUSES = st.one_of(st.integers(100, 599), st.sampled_from([200, 202, 400, 401, 403, 404, 409]))


def storable(text: str | None) -> bool:
    return text is None or (len(text) <= answers.MAX_TEXT and bool(text.encode() or True))


@given(STATUSES, st.one_of(BODIES, st.binary(max_size=50)), st.text(max_size=60))
def test_any_answer_is_a_value_or_a_failed_call(http_status: int, body: bytes, location: str) -> None:
    reply = answer(http_status, body, location=location)
    for read in (created, lambda it: answers.upgrade_status(it, UPGRADE), answers.eligibility):
        try:
            found = read(reply)
        except errors.CallFailed as failed:
            texts: list[str | None] = [failed.code, failed.description]
        else:
            assert 200 <= http_status < 300 or isinstance(found, InPlace)
            shown = found if isinstance(found, UpgradeStatus) else UpgradeStatus("", None)
            texts = [shown.server_status, shown.error_code, shown.error_description]
        assert all(map(storable, texts))
