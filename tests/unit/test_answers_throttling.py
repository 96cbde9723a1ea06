"""How long a 429 asks to wait."""

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import answers
from tests.fakes import NOON
from tests.unit.replies import answer


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("57", 57),
        (" 57 ", 57),
        ("1.5", 1.5),
        ("0", 0),
        ("-5", 0),
        ("1000000000000", 1e12),
        ("9" * 400, None),
        ("inf", None),
        ("-inf", None),
        ("Infinity", None),
        ("nan", None),
        ("", None),
        (" ", None),
        (None, None),
        ("soon", None),
        ("57 seconds", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun Mar  1 12:00:30 2026", 30),
        ("Sun, 01 Mar 2026 14:00:30 +0200", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30),
        ("Sun, 31 Feb 2026 12:00:30 GMT", None),
        ("Sun, 01 Mar 99999 12:00:30 GMT", None),
        ("Sun, 01 Mar 2026 12:00:30 +9999", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_and_anything_else_is_none(header: str | None, wait_s: float | None) -> None:
    assert answers.retry_after_s(header, NOON) == wait_s


@given(st.text(max_size=40))
def test_any_retry_after_is_seconds_or_none(header: str) -> None:
    wait_s = answers.retry_after_s(header, NOON)
    assert wait_s is None or 0 <= wait_s < float("inf")


@given(st.integers(0, 10**6))
def test_a_date_says_the_same_as_seconds(seconds: int) -> None:
    date = format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)
    assert answers.retry_after_s(date, NOON) == seconds


def test_a_429_tells_how_long_to_wait_and_the_gateways_text() -> None:
    body = {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds."}
    error = answers.throttled(answer(429, body, retry_after="57"), NOON)
    assert (error.retry_after_s, error.http_status, error.code) == (57, 429, "")
    assert error.description == body["message"]


@pytest.mark.parametrize("content", [None, b"<html>", [], {"code": 429, "message": None}])
def test_a_429_may_have_any_body(content: object) -> None:
    assert answers.throttled(answer(429, content), NOON).retry_after_s is None
