"""What an answer to an eligibility call says."""

import pytest

from shared import answers, errors
from shared.answers import Eligibility
from tests.unit.replies import UPGRADE, answer


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"isEligible": True}, Eligibility(is_eligible=True)),
        ({"isEligible": False, "reason": "Why."}, Eligibility(is_eligible=False, reason="Why.")),
        ({"isEligible": False, "upgradeId": UPGRADE}, Eligibility(is_eligible=False, upgrade_id=UPGRADE)),
        ({"isEligible": False, "upgradeId": UPGRADE.upper()}, Eligibility(is_eligible=False, upgrade_id=UPGRADE)),
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
