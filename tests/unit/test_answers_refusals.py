"""What a refusal means by its code, its status and its text."""

import pytest

from shared import errors
from shared.answers import InPlace
from shared.refusals import TABLE, Kind, Refusal
from tests.unit.replies import OTHER, UPGRADE, answer, created, failure

MEANING = {
    Kind.FOR_GOOD: errors.RefusedForGood,
    Kind.FOR_NOW: errors.RefusedForNow,
    Kind.ACCESS: errors.AccessDenied,
    Kind.NOT_FOUND: errors.UpgradeNotFound,
}
A_CODE_OF = {refusal.kind: refusal.code for refusal in TABLE}


def named(refusal: Refusal) -> str:
    return f"{refusal.http_status} {refusal.code} {refusal.reason}"


@pytest.mark.parametrize("code_type", [str, int])
@pytest.mark.parametrize("refusal", [r for r in TABLE if r.kind is not Kind.IN_PLACE], ids=named)
def test_a_documented_refusal_means_what_the_table_says(refusal: Refusal, code_type: type) -> None:
    reply = answer(refusal.http_status, {"code": code_type(refusal.code), "description": "Why.", "data": []})
    with pytest.raises(MEANING[refusal.kind]) as refused:
        created(reply)
    error = refused.value
    assert isinstance(error, errors.CallFailed)
    assert (error.code, error.http_status, error.description) == (refusal.code, refusal.http_status, "Why.")
    assert type(failure(reply)) is type(error)


@pytest.mark.parametrize("http_status", [400, 403, 404, 409, 422])
@pytest.mark.parametrize("kind", MEANING)
def test_the_code_decides_and_not_the_status_that_it_came_with(kind: Kind, http_status: int) -> None:
    error = failure(answer(http_status, {"code": A_CODE_OF[kind]}))
    assert type(error) is MEANING[kind]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("http_status", [301, 307, 500, 502, 503, 504, 599, 100])
def test_a_status_that_is_no_refusal_leaves_the_outcome_unknown_whatever_the_code(kind: Kind, http_status: int) -> None:
    reply = answer(http_status, {"code": A_CODE_OF[kind]})
    assert type(failure(reply)) is errors.OutcomeUnknown
    with pytest.raises(errors.OutcomeUnknown):
        created(reply)


def test_a_documented_try_again_later_is_understood() -> None:
    error = failure(answer(403, {"code": "900130"}))
    assert type(error) is errors.RefusedForNow
    assert error.understood


@pytest.mark.parametrize("name", ["description", "message"])
@pytest.mark.parametrize("refusal", [r for r in TABLE if r.kind is Kind.IN_PLACE], ids=named)
def test_a_create_call_that_meets_an_upgrade_in_place_names_the_ids_of_the_text(refusal: Refusal, name: str) -> None:
    text = f"Upgrade {UPGRADE.upper()} is there, see '{OTHER}'. Not x{OTHER} nor {OTHER}-1 nor {UPGRADE}f."
    found = created(answer(refusal.http_status, {"code": int(refusal.code), name: text}))
    assert isinstance(found, InPlace)
    assert found.upgrade_ids == (UPGRADE.upper(), OTHER)
    assert (found.refusal.code, found.refusal.http_status) == (refusal.code, refusal.http_status)
    assert not isinstance(found.refusal, errors.RefusedForGood)


@pytest.mark.parametrize("text", [None, "", "No id at all.", 7, [UPGRADE[:-1]]])
def test_an_upgrade_in_place_may_be_named_by_nothing(text: object) -> None:
    found = created(answer(409, {"code": "900109", "description": text}))
    assert isinstance(found, InPlace)
    assert found.upgrade_ids == ()


def test_a_status_call_is_never_adopting_anything() -> None:
    assert type(failure(answer(409, {"code": "900109", "description": UPGRADE}))) is errors.RefusedForNow


@pytest.mark.parametrize("http_status", [400, 402, 403, 405, 406, 409, 410, 412, 415, 422, 499])
def test_an_unknown_refusal_is_not_now_and_not_understood(http_status: int) -> None:
    error = failure(answer(http_status, {"code": "999999", "description": "?"}))
    assert type(error) is errors.RefusedForNow
    assert (error.understood, error.http_status) == (False, http_status)


@pytest.mark.parametrize(
    "code",
    [None, True, False, 900105.0, [], [900105], {"code": 900105}, "900105 ", "", "x" * 65, "a name: Contoso"],
)
def test_what_is_no_number_and_no_word_names_no_refusal_and_is_not_kept(code: object) -> None:
    error = failure(answer(403, {"code": code, "description": "no"}))
    assert type(error) is errors.RefusedForNow
    assert (error.code, error.understood) == ("", False)


@pytest.mark.parametrize("content", [{}, {"code": 1}, {"message": "Not found"}])
def test_a_404_of_the_services_own_is_an_upgrade_that_is_not_found(content: object) -> None:
    assert type(failure(answer(404, content))) is errors.UpgradeNotFound


@pytest.mark.parametrize("content", [None, b"<html>", {}, {"code": 400}, {"code": "800001"}, {"code": 900420}, []])
def test_a_401_is_a_token_that_is_not_accepted_whatever_its_body(content: object) -> None:
    assert type(failure(answer(401, content))) is errors.Unauthorized
