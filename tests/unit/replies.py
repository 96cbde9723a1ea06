"""Answers as Partner Center gives them, and what the three calls make of them."""

import json
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from shared import answers, errors
from shared.answers import Answer, InPlace, UpgradeStatus

HOST = "api.partnercenter.microsoft.com"
UPGRADE = "5cf15e8c-2f0e-4c71-9d5a-1a2b3c4d5e6f"
OTHER = "0a0b0c0d-1111-4222-8333-444455556666"


def answer(http_status: int, content: Any = None, **headers: str) -> Answer:
    """`content`: bytes, or what becomes JSON; None is an empty body."""
    body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(http_status, CaseInsensitiveDict(named), body)


def created(reply: Answer) -> str | InPlace | None:
    return answers.created_upgrade_id(reply, HOST)


def status(content: Any) -> UpgradeStatus:
    return answers.upgrade_status(answer(200, content), UPGRADE)


def failure(reply: Answer) -> errors.CallFailed:
    """What a status call and an eligibility call make of an answer that is of no use to either."""
    with pytest.raises(errors.CallFailed) as of_status:
        answers.upgrade_status(reply, UPGRADE)
    with pytest.raises(errors.CallFailed) as of_eligibility:
        answers.eligibility(reply)
    assert type(of_status.value) is type(of_eligibility.value)
    return of_status.value
