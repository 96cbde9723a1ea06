"""What Partner Center's answers are taken to mean, form by form."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from shared import answers, errors
from shared.answers import Answer, Eligibility, InPlace, UpgradeStatus
from shared.models import Status
from shared.refusals import TABLE, Kind, Refusal

HOST = "api.partnercenter.microsoft.com"
UPGRADE = "5cf15e8c-2f0e-4c71-9d5a-1a2b3c4d5e6f"
OTHER = "0a0b0c0d-1111-4222-8333-444455556666"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


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
    """What any of the three calls makes of an answer that is no 2xx."""
    with pytest.raises(errors.CallFailed) as of_status:
        answers.upgrade_status(reply, UPGRADE)
    with pytest.raises(errors.CallFailed) as of_eligibility:
        answers.eligibility(reply)
    assert type(of_status.value) is type(of_eligibility.value)
    return of_status.value


# Location


@pytest.mark.parametrize(
    "location",
    [
        f"productUpgrades/{UPGRADE}",
        f"/productUpgrades/{UPGRADE}",
        f"/v1/productUpgrades/{UPGRADE}",
        f"productupgrades/{UPGRADE}",
        f"PRODUCTUPGRADES/{UPGRADE.upper()}",
        f"productUpgrades/{UPGRADE}/",
        f"productUpgrades/{UPGRADE}/status",
        f"productUpgrades/{UPGRADE}?a=b#c",
        f"https://{HOST}/v1/productUpgrades/{UPGRADE}",
        f"HTTPS://{HOST.upper()}/v1/ProductUpgrades/{UPGRADE}/status",
        f"//{HOST}/v1/productUpgrades/{UPGRADE}",
        f"  productUpgrades/{UPGRADE}  ",
    ],
)
def test_the_id_is_read_from_every_form_of_location(location: str) -> None:
    assert created(answer(202, location=location)) == UPGRADE


@pytest.mark.parametrize(
    "location",
    [
        "",
        "productUpgrades",
        "productUpgrades/",
        "productUpgrades/not-a-guid",
        f"productUpgrades/{UPGRADE}0",
        f"productUpgrades/0{UPGRADE}",
        f"productUpgrades/{{{UPGRADE}}}",
        f"productUpgrades/{UPGRADE[:-1]}٣",
        f"otherUpgrades/{UPGRADE}",
        f"notproductUpgrades/{UPGRADE}",
        f"productUpgrades/x/{UPGRADE}",
        UPGRADE,
        f"https://example.net/v1/productUpgrades/{UPGRADE}",
        f"https://{HOST}.example.net/v1/productUpgrades/{UPGRADE}",
        f"https://{HOST}@example.net/v1/productUpgrades/{UPGRADE}",
        f"https://example.net/?x={HOST}/productUpgrades/{UPGRADE}",
        f"?next=/productUpgrades/{UPGRADE}",
        f"#/productUpgrades/{UPGRADE}",
        f"https://[/productUpgrades/{UPGRADE}",
    ],
)
def test_a_location_that_names_no_upgrade_of_the_api_is_unusable(location: str) -> None:
    assert created(answer(202, location=location)) is None


@pytest.mark.parametrize("content", [None, b"<html>", {"id": UPGRADE}, {"status": "InProgress"}, b"\x00\xff"])
def test_an_accepted_call_may_have_any_body(content: object) -> None:
    assert created(answer(202, content, location=f"productUpgrades/{UPGRADE}")) == UPGRADE
    assert created(answer(202, content)) is None


@pytest.mark.parametrize("http_status", [200, 201, 202, 204])
def test_every_2xx_is_an_accepted_call(http_status: int) -> None:
    assert created(answer(http_status, location=f"productUpgrades/{UPGRADE}")) == UPGRADE


# Refusals

MEANING = {
    Kind.FOR_GOOD: errors.RefusedForGood,
    Kind.FOR_NOW: errors.RefusedForNow,
    Kind.ACCESS: errors.AccessDenied,
    Kind.NOT_FOUND: errors.UpgradeNotFound,
}
OF_CREATE = [refusal for refusal in TABLE if refusal.kind is not Kind.IN_PLACE]


def named(refusal: Refusal) -> str:
    return f"{refusal.http_status} {refusal.code} {refusal.reason}"


@pytest.mark.parametrize("code_type", [str, int])
@pytest.mark.parametrize("refusal", OF_CREATE, ids=named)
def test_a_documented_refusal_means_what_the_table_says(refusal: Refusal, code_type: type) -> None:
    reply = answer(refusal.http_status, {"code": code_type(refusal.code), "description": "Why.", "data": []})
    with pytest.raises(MEANING[refusal.kind]) as refused:
        created(reply)
    error = refused.value
    assert isinstance(error, errors.CallFailed)
    assert (error.code, error.http_status, error.description) == (refusal.code, refusal.http_status, "Why.")
    assert type(failure(reply)) is type(error)


@pytest.mark.parametrize("http_status", [400, 403, 404, 409, 422])
@pytest.mark.parametrize("refusal", OF_CREATE, ids=named)
def test_the_code_decides_and_not_the_status_that_it_came_with(refusal: Refusal, http_status: int) -> None:
    error = failure(answer(http_status, {"code": refusal.code}))
    assert type(error) is MEANING[refusal.kind]


@pytest.mark.parametrize("refusal", TABLE, ids=named)
@pytest.mark.parametrize("http_status", [301, 307, 500, 502, 503, 504, 599, 100])
def test_a_status_that_is_no_refusal_leaves_the_outcome_unknown_whatever_the_code(
    refusal: Refusal, http_status: int
) -> None:
    reply = answer(http_status, {"code": refusal.code})
    assert type(failure(reply)) is errors.OutcomeUnknown
    with pytest.raises(errors.OutcomeUnknown):
        created(reply)


def test_only_a_documented_try_again_later_is_understood() -> None:
    understood, other = (failure(answer(403, {"code": code})) for code in ("900130", "999999"))
    assert isinstance(understood, errors.RefusedForNow)
    assert isinstance(other, errors.RefusedForNow)
    assert (understood.understood, other.understood) == (True, False)


@pytest.mark.parametrize("refusal", [r for r in TABLE if r.kind is Kind.IN_PLACE], ids=named)
def test_a_create_call_that_meets_an_upgrade_in_place_names_the_ids_of_the_text(refusal: Refusal) -> None:
    text = f"Upgrade {UPGRADE.upper()} is there, see '{OTHER}'. Not x{OTHER} nor {OTHER}-1 nor {UPGRADE}f."
    found = created(answer(refusal.http_status, {"code": int(refusal.code), "description": text}))
    assert isinstance(found, InPlace)
    assert found.upgrade_ids == (UPGRADE.upper(), OTHER)
    assert (found.refusal.code, found.refusal.http_status) == (refusal.code, refusal.http_status)
    assert not isinstance(found.refusal, errors.RefusedForGood)


@pytest.mark.parametrize("text", [None, "", "No id at all.", 7, [UPGRADE[:-1]]])
def test_an_upgrade_in_place_may_be_named_by_nothing(text: object) -> None:
    found = created(answer(409, {"code": "900109", "description": text}))
    assert isinstance(found, InPlace)
    assert found.upgrade_ids == ()


def test_the_id_may_stand_in_message_instead_of_description() -> None:
    found = created(answer(409, {"code": 900109, "message": f"Upgrade {UPGRADE}"}))
    assert isinstance(found, InPlace)
    assert found.upgrade_ids == (UPGRADE,)


def test_a_status_call_is_never_adopting_anything() -> None:
    assert type(failure(answer(409, {"code": "900109", "description": UPGRADE}))) is errors.RefusedForNow


# Codes and statuses of no list


@pytest.mark.parametrize("http_status", [400, 402, 403, 405, 406, 409, 410, 412, 415, 422, 499])
@pytest.mark.parametrize("code", ["999999", 1, "", None])
def test_an_unknown_refusal_is_not_now_and_not_understood(http_status: int, code: object) -> None:
    error = failure(answer(http_status, {"code": code, "description": "?"}))
    assert type(error) is errors.RefusedForNow
    assert not error.understood
    assert error.http_status == http_status


@pytest.mark.parametrize("content", [{}, {"code": 1}, {"message": "Not found"}])
def test_a_404_of_the_services_own_is_an_upgrade_that_is_not_found(content: object) -> None:
    assert type(failure(answer(404, content))) is errors.UpgradeNotFound


@pytest.mark.parametrize("content", [None, b"<html>", {}, {"code": 400}, {"code": "800001"}, {"code": 900420}, []])
def test_a_401_is_a_token_that_is_not_accepted_whatever_its_body(content: object) -> None:
    assert type(failure(answer(401, content))) is errors.Unauthorized


def test_a_401_for_want_of_mfa_is_our_credentials() -> None:
    assert type(failure(answer(401, {"code": 900421}))) is errors.AccessDenied


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


@pytest.mark.parametrize("code", [None, True, False, 900105.0, [900105], {"code": 900105}, "900105 ", ""])
def test_what_is_no_code_names_no_refusal(code: object) -> None:
    assert type(failure(answer(403, {"code": code}))) is errors.RefusedForNow


def test_texts_are_cut_and_can_be_stored() -> None:
    error = failure(answer(403, {"code": 1, "description": "\ud800" + "ä" * 9000}))
    assert len(error.description) == answers.MAX_TEXT
    assert error.description.startswith("?ä")


def test_the_id_that_eligibility_names_is_in_lower_case() -> None:
    body = json.dumps({"isEligible": False, "upgradeId": "ABCDEF12-0000-4000-8000-000000000000"}).encode()
    found = answers.eligibility(Answer(200, {}, body))
    assert found.upgrade_id == "abcdef12-0000-4000-8000-000000000000"


@pytest.mark.parametrize("code", ["x" * 65, "a name: Contoso", "", None, True, 1.5, [], {"code": 1}])
def test_a_code_that_is_no_number_or_word_is_a_text_and_not_kept(code: object) -> None:
    assert failure(answer(403, {"code": code, "description": "no"})).code == ""


def test_an_errors_own_text_never_quotes_the_services() -> None:
    error = failure(answer(403, {"code": "900105", "description": "of Contoso Ltd"}))
    assert "Contoso" not in f"{error} {error!r}"


# Throttling


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
    assert answers.retry_after_s(header, NOW) == wait_s


@given(st.text(max_size=40))
def test_any_retry_after_is_seconds_or_none(header: str) -> None:
    wait_s = answers.retry_after_s(header, NOW)
    assert wait_s is None or 0 <= wait_s < float("inf")


@given(st.integers(0, 10**6))
def test_a_date_says_the_same_as_seconds(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert answers.retry_after_s(date, NOW) == seconds


def test_a_429_tells_how_long_to_wait_and_the_gateways_text() -> None:
    body = {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds."}
    error = answers.throttled(answer(429, body, retry_after="57"), NOW)
    assert (error.retry_after_s, error.http_status, error.code) == (57, 429, "")
    assert error.description == body["message"]


@pytest.mark.parametrize("content", [None, b"<html>", [], {"code": 429, "message": None}])
def test_a_429_may_have_any_body(content: object) -> None:
    assert answers.throttled(answer(429, content), NOW).retry_after_s is None


# Status words


@pytest.mark.parametrize(
    "word",
    [
        "Completed",
        "completed",
        "COMPLETED",
        "Complete",
        "Succeeded",
        "success",
        " Completed. ",
        "com_pleted",
        '"Completed"',
    ],
)
def test_words_of_the_completed_family_are_final(word: str) -> None:
    assert status({"status": word}).end is Status.COMPLETED


@pytest.mark.parametrize("word", ["Failed", "failed", "FAILURE", "Fail", "Cancelled", "Canceled", "failed!"])
def test_words_of_the_failed_family_are_final(word: str) -> None:
    assert status({"status": word}).end is Status.FAILED


@pytest.mark.parametrize(
    "word",
    [
        "InProgress",
        "Pending",
        "NotCompleted",
        "Not Completed",
        "Incomplete",
        "CompletedWithErrors",
        "PartiallyCompleted",
        "NotFailed",
        "Failing",
        "Completed Failed",
        "完了",
        "",
        " ",
        "-",
        None,
        1,
        True,
        ["Completed"],
        {"status": "Completed"},
    ],
)
def test_any_other_word_is_not_final_and_is_kept_as_it_came(word: object) -> None:
    found = status({"status": word})
    assert found.end is None
    assert found.server_status == ("" if word is None else word if isinstance(word, str) else json.dumps(word))


def test_an_answer_without_a_status_is_not_final() -> None:
    assert status({}) == UpgradeStatus(server_status="", end=None)


# Verdicts

DONE, BROKEN, GOING, ODD = ({"status": word} for word in ("Completed", "Failed", "InProgress", None))


@pytest.mark.parametrize(
    ("upgrade", "items", "end"),
    [
        ("Completed", [], Status.COMPLETED),
        ("Completed", [DONE], Status.COMPLETED),
        ("Completed", [DONE, GOING, ODD], Status.COMPLETED),
        ("Completed", [DONE, BROKEN], Status.PARTIALLY_COMPLETED),
        ("Completed", [BROKEN, GOING], Status.PARTIALLY_COMPLETED),
        ("Completed", [BROKEN], Status.FAILED),
        ("Completed", [BROKEN, {"status": "cancelled"}], Status.FAILED),
        ("Failed", [BROKEN, DONE], Status.PARTIALLY_COMPLETED),
        ("Failed", [DONE], Status.PARTIALLY_COMPLETED),
        ("Failed", [], Status.FAILED),
        ("Failed", [BROKEN], Status.FAILED),
        ("Failed", [GOING, ODD], Status.FAILED),
        ("InProgress", [DONE, BROKEN], None),
        ("", [DONE], None),
    ],
)
def test_a_verdict_follows_from_the_upgrade_and_its_line_items(
    upgrade: str, items: list[object], end: Status | None
) -> None:
    found = status({"status": upgrade, "lineItems": items})
    assert found.end is end
    assert found.line_items_failed == sum(item is BROKEN or item == {"status": "cancelled"} for item in items)


@pytest.mark.parametrize("items", [None, {}, "x", 1, [None], ["Failed"], [[BROKEN]], [1, True]])
def test_line_items_that_are_no_objects_are_left_out(items: object) -> None:
    found = status({"status": "Completed", "lineItems": items})
    assert (found.end, found.line_items) == (Status.COMPLETED, ())


def test_line_items_are_kept_as_they_came_with_their_texts_cut() -> None:
    item = {"status": "Completed", "sourceProduct": {"id": "a", "name": "x" * 9000}, "n": [1, None, True, "y" * 9000]}
    (kept,) = status({"status": "Completed", "lineItems": [item]}).line_items
    cut = {"id": "a", "name": "x" * answers.MAX_TEXT}
    assert kept == {"status": "Completed", "sourceProduct": cut, "n": [1, None, True, "y" * answers.MAX_TEXT]}


@pytest.mark.parametrize("name", ["description", "message"])
@pytest.mark.parametrize("code", [900120, "900120"])
def test_the_error_of_the_upgrade_is_read_in_both_forms(name: str, code: object) -> None:
    found = status({"status": "Failed", "errorDetails": {"code": code, name: "Why."}})
    assert (found.error_code, found.error_description) == ("900120", "Why.")


def test_the_documented_name_of_the_text_comes_before_the_sdks() -> None:
    found = status({"status": "Failed", "errorDetails": {"code": 1, "message": "sdk", "description": "documented"}})
    assert found.error_description == "documented"


def test_without_an_error_of_the_upgrade_the_first_failed_line_items_is_taken() -> None:
    items = [
        {**DONE, "errorDetails": {"code": 1}},
        {**BROKEN, "errorDetails": None},
        {**BROKEN, "errorDetails": {"code": 2, "message": "second"}},
        {**BROKEN, "errorDetails": {"code": 3}},
    ]
    found = status({"status": "Completed", "lineItems": items, "errorDetails": {}})
    assert (found.error_code, found.error_description) == ("2", "second")


def test_the_upgrades_own_error_comes_before_a_line_items() -> None:
    items = [{**BROKEN, "errorDetails": {"code": 2}}]
    assert status({"status": "Failed", "lineItems": items, "errorDetails": {"code": 1}}).error_code == "1"


@pytest.mark.parametrize("details", [None, {}, [], "x", 7, {"code": None, "message": ""}, {"code": True}])
def test_error_details_that_say_nothing_are_none(details: object) -> None:
    found = status({"status": "Failed", "errorDetails": details})
    assert (found.error_code, found.error_description) == (None, None)


@pytest.mark.parametrize("answered_id", [UPGRADE, UPGRADE.upper(), None, 7, [OTHER]])
def test_a_status_answer_names_the_same_upgrade_or_none(answered_id: object) -> None:
    assert status({"id": answered_id, "status": "Completed"}).end is Status.COMPLETED


def test_a_status_answer_of_another_upgrade_is_none() -> None:
    with pytest.raises(errors.OutcomeUnknown):
        status({"id": OTHER, "status": "Completed"})


# Eligibility


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"isEligible": True}, Eligibility(is_eligible=True)),
        ({"isEligible": False, "reason": "Why."}, Eligibility(is_eligible=False, reason="Why.")),
        ({"isEligible": False, "upgradeId": UPGRADE}, Eligibility(is_eligible=False, upgrade_id=UPGRADE)),
        ({"upgradeId": UPGRADE, "isEligible": None}, Eligibility(is_eligible=False, upgrade_id=UPGRADE)),
        ({"isEligible": True, "upgradeId": None, "reason": None}, Eligibility(is_eligible=True)),
        ({"isEligible": True, "upgradeId": ""}, Eligibility(is_eligible=True)),
    ],
)
def test_an_eligibility_answer_is_read(content: object, expected: Eligibility) -> None:
    assert answers.eligibility(answer(200, content)) == expected


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"isEligible": None},
        {"isEligible": "true"},
        {"isEligible": 1},
        {"isEligible": True, "upgradeId": "abc"},
        {"isEligible": True, "upgradeId": 7},
        {"isEligible": True, "upgradeId": [UPGRADE]},
        {"isEligible": True, "upgradeId": f"{{{UPGRADE}}}"},
        {"isEligible": True, "upgradeId": f"{UPGRADE}\n"},
    ],
)
def test_an_eligibility_answer_that_does_not_tell_is_none(content: object) -> None:
    with pytest.raises(errors.OutcomeUnknown):
        answers.eligibility(answer(200, content))


# Anything

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
