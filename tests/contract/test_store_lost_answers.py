"""A write to Table Storage whose answer is lost, so that the SDK sends it again: it is recognised as our own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests
from azure.core.exceptions import ServiceResponseError
from azure.identity import DefaultAzureCredential

from local.component import Component
from shared import transport
from shared.errors import StoreUnavailable
from shared.models import Reason
from shared.upgrade_store import TableStore
from tests.contract.upgrade_stores import CLOSED, NOW, result_of, row_of, table_service


class LosesAnswers(transport.DeadlineTransport):
    """Lets requests of one method pass, and loses the answer to the first: `how` is what the SDK meets instead."""

    def __init__(self, session: requests.Session, method: str, how: str) -> None:
        super().__init__(session)
        self._method, self._how = method, how
        self.sent = 0

    def send(self, request: Any, **kwargs: Any) -> Any:
        answer = super().send(request, **kwargs)
        if request.method != self._method:
            return answer
        self.sent += 1
        if self.sent > 1:
            return answer
        assert answer.status_code < 300, "the first was to be processed"
        if self._how == "cut":
            raise ServiceResponseError("Connection aborted.")
        answer.internal_response.status_code = answer.status_code = 503
        return answer


type Losing = Callable[[str, str], AbstractContextManager[tuple[TableStore, LosesAnswers]]]


@pytest.fixture
def losing(azurite: Component, credential: DefaultAzureCredential, session: requests.Session) -> Losing:
    """Opens a store that loses the answer to its first call of that method, in that way."""

    @contextmanager
    def open_store(method: str, how: str) -> Iterator[tuple[TableStore, LosesAnswers]]:
        sender = LosesAnswers(session, method, how)
        with table_service(azurite.facts["url"], credential, sender) as service:
            yield TableStore(service.get_table_client, 5), sender

    return open_store


def test_an_insert_whose_answer_is_lost_is_recognised_as_our_own(
    losing: Losing, table_store: TableStore, customer_id: str
) -> None:
    with losing("POST", "503") as (store, sender):
        inserted = store.insert_in_flight(row_of(customer_id))
        assert sender.sent == 2
        assert table_store.get_in_flight(customer_id, "Azure") == inserted
    with losing("POST", "503") as (store, sender):
        result = store.insert_result(result_of(customer_id, line_items=({"a": 1},) * 9000))
        assert sender.sent == 2
        assert table_store.get_result(customer_id, "Azure", "r1") == result
    with losing("POST", "503") as (store, sender):
        gate = store.write_gate(CLOSED)
        assert sender.sent == 2
        assert table_store.get_gate() == gate


@pytest.mark.parametrize("how", ["cut", "503"])
def test_an_update_whose_answer_is_lost_is_recognised_as_our_own(
    losing: Losing, table_store: TableStore, customer_id: str, how: str
) -> None:
    row = table_store.insert_in_flight(row_of(customer_id))
    with losing("PUT", how) as (store, sender):
        updated = store.update_in_flight(replace(row, attempts=1, last_reason=Reason.GATE, submitted_at=NOW))
        assert sender.sent == 2
        assert table_store.get_in_flight(customer_id, "Azure") == updated
        store.update_in_flight(replace(updated, attempts=2))


@pytest.mark.parametrize("how", ["cut", "503"])
def test_a_delete_whose_answer_is_lost_has_deleted(
    losing: Losing, table_store: TableStore, customer_id: str, how: str
) -> None:
    row = table_store.insert_in_flight(row_of(customer_id))
    with losing("DELETE", how) as (store, sender):
        store.delete_in_flight(row)
        assert sender.sent == 2
    assert table_store.get_in_flight(customer_id, "Azure") is None


def test_an_insert_whose_connection_is_cut_leaves_its_outcome_to_the_caller(
    losing: Losing, table_store: TableStore, customer_id: str
) -> None:
    with losing("POST", "cut") as (store, _), pytest.raises(StoreUnavailable):
        store.insert_in_flight(row_of(customer_id))
    assert table_store.get_in_flight(customer_id, "Azure") is not None
