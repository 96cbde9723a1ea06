"""Every refusal that is documented: what it makes of row, result and gate, over a socket.

What each code leads to stands here once more, by the documentation, so that a mistake in the table shows.
"""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared.refusals import TABLE
from tests.contract.endings import CHECKS, another_adopted, create, refused_for_now
from tests.contract.steps import documented
from tests.contract.use_cases import UseCases

# Of each code: what becomes of a create call, and of a status call, that is refused with it.
ENDINGS = {
    "900109": ("adopted", "another adopted"),
    "900110": ("adopted", "another adopted"),
    "900111": ("adopted", "another adopted"),
    "900106": ("refused for now", "not yet"),
    "900105": ("rejected", "refused for now"),
    "900108": ("rejected", "refused for now"),
    "900130": ("refused for now", "refused for now"),
    "900107": ("rejected", "refused for now"),
    "900118": ("rejected", "refused for now"),
    "900119": ("rejected", "refused for now"),
    "900120": ("rejected", "refused for now"),
    "20002": ("rejected", "refused for now"),
    "13605": ("rejected", "refused for now"),
    "900123": ("rejected", "refused for now"),
    "900124": ("rejected", "refused for now"),
    "900116": ("rejected", "refused for now"),
    "900127": ("rejected", "refused for now"),
    "2032": ("gate closed", "gate closed"),
    "900150": ("gate closed", "gate closed"),
    "900308": ("gate closed", "gate closed"),
    "900309": ("gate closed", "gate closed"),
    "900329": ("gate closed", "gate closed"),
    "900421": ("gate closed", "gate closed"),
}
EVERY_REFUSAL = pytest.mark.parametrize("code", ENDINGS)
IN_PLACE = pytest.mark.parametrize("code", ["900109", "900110", "900111"])


def test_every_row_of_the_table_has_its_endings_here() -> None:
    assert set(ENDINGS) == {refusal.code for refusal in TABLE}


@pytest.mark.parametrize("by", ["message", "tick"])
@EVERY_REFUSAL
def test_a_create_call_that_is_refused(code: str, by: str, system: UseCases) -> None:
    ending = ENDINGS[code][0]
    existing = {"existing": "completed"} if ending == "adopted" else {}
    customer_id = system.partner.customer({"create": [documented(code)], **existing})
    create(system, customer_id, by)
    CHECKS[ending](system, customer_id, code)


@EVERY_REFUSAL
def test_a_status_call_that_is_refused(code: str, system: UseCases) -> None:
    ending = ENDINGS[code][1]
    customer_id = system.partner.customer({"status": [documented(code)]})
    row = system.accepted(customer_id)
    if ending == "another adopted":
        stranger = system.accepted(system.partner.customer())
        system.world.store.update_in_flight(replace(row, upgrade_id=stranger.upgrade_id))
        system.touch(customer_id)
    else:
        system.tick()
    assert system.row(customer_id).polls == 1
    CHECKS[ending](system, customer_id, code)
    assert system.calls(customer_id)[:2] == ["create", "status"]
    assert len(system.true_upgrade_ids(customer_id)) == 1


def test_a_status_call_whose_id_is_another_customers_adopts_the_upgrade_that_is_mapped(system: UseCases) -> None:
    """900111 as the service itself gives it."""
    stranger = system.accepted(system.partner.customer())
    customer_id = system.partner.customer()
    row = system.accepted(customer_id)
    system.world.store.update_in_flight(replace(row, upgrade_id=stranger.upgrade_id))
    system.touch(customer_id)
    another_adopted(system, customer_id, "900111")
    assert system.calls(customer_id) == ["create", "status", "eligibility"]


@IN_PLACE
def test_a_status_call_that_names_another_upgrade_which_is_the_same_waits(code: str, system: UseCases) -> None:
    customer_id = system.partner.customer({"status": [documented(code)]})
    upgrade_id = system.accepted(customer_id).upgrade_id
    system.tick()
    refused_for_now(system, customer_id, code)
    assert system.row(customer_id).upgrade_id == upgrade_id


@IN_PLACE
def test_a_create_call_that_names_an_upgrade_which_nobody_knows_waits(code: str, system: UseCases) -> None:
    step = documented(code) | {"description": f"It is {uuid4()}."}
    customer_id = system.partner.customer({"create": [step]})
    system.submit(customer_id)
    refused_for_now(system, customer_id, code)
    assert system.calls(customer_id) == ["create", "eligibility", "status"]
