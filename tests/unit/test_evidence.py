"""What the answers tell about the service: an outage, others that get through, a proof that trouble is over."""

import pytest

from shared.evidence import Evidence
from shared.models import GateReason, GateState, InFlightUpgrade, Position
from tests.unit import rows

REFUSING = [GateReason.THROTTLED, GateReason.CREDENTIALS]


def _row(number: int = 0, *, in_progress: bool = False, setbacks: int = 0) -> InFlightUpgrade:
    """Waits for a create call, or for a status call."""
    customer_id = f"00000000-0000-4000-8000-{number:012d}"
    upgrade_id = "99999999-0000-4000-8000-000000000000" if in_progress else None
    return rows.in_flight(customer_id=customer_id, upgrade_id=upgrade_id, setbacks=setbacks)


def _unknown(evidence: Evidence, numbers: range) -> list[bool]:
    return [evidence.note_unknown(_row(number)) for number in numbers]


def test_unknown_outcomes_of_five_different_rows_are_an_outage() -> None:
    assert _unknown(Evidence(), range(5)) == [False] * 4 + [True]


def test_an_outage_that_goes_on_stays_one() -> None:
    assert _unknown(Evidence(), range(7))[-2:] == [True, True]


def test_unknown_outcomes_of_one_row_are_no_outage_however_many() -> None:
    evidence = Evidence()
    assert not any(evidence.note_unknown(_row()) for _ in range(20))


def test_create_and_status_calls_count_together_towards_an_outage() -> None:
    evidence = Evidence()
    found = [evidence.note_unknown(_row(number, in_progress=number % 2 == 0)) for number in range(5)]
    assert found[-1]


@pytest.mark.parametrize("reason", [None, *REFUSING])
def test_any_answer_in_between_begins_the_count_anew(reason: GateReason | None) -> None:
    evidence = Evidence()
    _unknown(evidence, range(4))
    evidence.note_answer(_row(4), reason=reason)
    assert _unknown(evidence, range(5, 10)) == [False] * 4 + [True]


def test_a_gate_that_closed_begins_the_count_anew() -> None:
    evidence = Evidence()
    _unknown(evidence, range(4))
    evidence.forget()
    assert not evidence.note_unknown(_row(4))


def test_at_first_nobody_gets_through() -> None:
    assert not Evidence().others_get_through(_row())


@pytest.mark.parametrize("in_progress", [True, False])
def test_others_get_through_in_the_same_kind_of_call_only(in_progress: bool) -> None:
    evidence = Evidence()
    evidence.note_answer(_row(1, in_progress=in_progress))
    assert evidence.others_get_through(_row(2, in_progress=in_progress))
    assert not evidence.others_get_through(_row(2, in_progress=not in_progress))


@pytest.mark.parametrize("reason", REFUSING)
def test_an_answer_that_refuses_everybody_lets_nobody_through_and_proves_nothing(reason: GateReason) -> None:
    evidence = Evidence()
    evidence.note_answer(_row(1), reason=reason)
    assert not evidence.others_get_through(_row(2))
    assert not evidence.proved


def test_an_answer_that_lets_one_through_proves_that_the_service_works() -> None:
    evidence = Evidence()
    evidence.note_answer(_row())
    assert evidence.proved


def test_an_unknown_outcome_takes_no_proof_away_and_gives_none() -> None:
    evidence = Evidence()
    evidence.note_unknown(_row(1))
    assert not evidence.proved
    evidence.note_answer(_row(2))
    evidence.note_unknown(_row(1))
    assert evidence.proved


def test_what_was_let_through_before_the_gate_closed_counts_no_more() -> None:
    evidence = Evidence()
    evidence.note_answer(_row(1))
    evidence.forget()
    assert not evidence.others_get_through(_row(2))
    assert not evidence.proved


def test_a_row_refused_again_and_again_after_another_ones_success_is_throttled_alone() -> None:
    evidence = Evidence()
    evidence.note_answer(_row(1))
    assert evidence.is_alone_throttled(_row(2, setbacks=2))


@pytest.mark.parametrize("setbacks", [0, 1])
def test_the_first_two_refusals_of_a_row_concern_everybody(setbacks: int) -> None:
    evidence = Evidence()
    evidence.note_answer(_row(1))
    assert not evidence.is_alone_throttled(_row(2, setbacks=setbacks))


def test_where_nobody_was_let_through_a_throttled_row_is_not_alone() -> None:
    assert not Evidence().is_alone_throttled(_row(setbacks=2))


def test_where_the_call_before_was_throttled_too_a_row_is_not_alone() -> None:
    evidence = Evidence()
    evidence.note_answer(_row(1))
    evidence.note_answer(_row(3), reason=GateReason.THROTTLED)
    assert not evidence.is_alone_throttled(_row(2, setbacks=2))
    evidence.note_answer(_row(1))
    assert evidence.is_alone_throttled(_row(2, setbacks=2))


def test_what_was_let_through_before_the_gate_closed_leaves_no_throttled_row_alone() -> None:
    evidence = Evidence()
    evidence.note_answer(_row(1))
    evidence.forget()
    assert not evidence.is_alone_throttled(_row(2, setbacks=2))


@pytest.mark.parametrize(
    ("reason", "without_proof"),
    [
        (GateReason.THROTTLED, True),
        (GateReason.OPERATOR, True),
        (GateReason.UNAVAILABLE, False),
        (GateReason.CREDENTIALS, False),
    ],
)
def test_after_an_outage_or_credential_trouble_only_a_proof_opens_the_gate(
    reason: GateReason, without_proof: bool
) -> None:
    evidence = Evidence()
    state = GateState(position=Position.RECOVERING, reason=reason)
    assert evidence.suffices_to_open(state) is without_proof
    evidence.note_answer(_row())
    assert evidence.suffices_to_open(state)


def _answers(evidence: Evidence, *, let_through: int = 0, throttled: int = 0) -> None:
    for _ in range(let_through):
        evidence.note_answer(_row(1))
    for _ in range(throttled):
        evidence.note_answer(_row(2), reason=GateReason.THROTTLED)


@pytest.mark.parametrize(
    ("let_through", "throttled", "most"),
    [(0, 0, False), (1, 0, False), (2, 0, True), (3, 1, False), (4, 1, True), (9, 4, False), (10, 4, True)],
)
def test_most_got_through_where_there_are_twice_as_many_as_were_throttled_with_the_one_that_closed_the_gate(
    let_through: int, throttled: int, most: bool
) -> None:
    evidence = Evidence()
    _answers(evidence, let_through=100, throttled=1)
    evidence.gate_closed()
    _answers(evidence, let_through=let_through, throttled=throttled)
    assert evidence.most_got_through is most


def test_who_got_through_beside_a_throttled_call_is_known_until_the_gate_closes_again() -> None:
    evidence = Evidence()
    evidence.gate_closed()
    _answers(evidence, let_through=2)
    evidence.forget()
    assert evidence.most_got_through
    evidence.gate_closed()
    assert not evidence.most_got_through
