"""What an answer to a status call says: whether it is the end, of what kind, of which line items, and why."""

import json

import pytest

from shared import answers, errors
from shared.answers import UpgradeStatus
from shared.models import Status
from tests.unit.replies import OTHER, UPGRADE, status

DONE, BROKEN, GOING, ODD = ({"status": word} for word in ("Completed", "Failed", "InProgress", None))


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
