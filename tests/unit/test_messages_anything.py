"""Whatever arrives is a request or an invalid one, and nothing of it is quoted."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.models import UpgradeRequest
from tests.fakes import CUSTOMER
from tests.unit.message_bodies import EVENT, FAMILIES, MINIMAL, parse_body

NAMES = ["customerId", "productFamily", "requestId", "specversion", "data", "id", "x"]
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from([CUSTOMER, CUSTOMER.upper(), "Azure", "AZURE", "1.0", "r1"]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)),
    max_leaves=12,
)


def outcome(body: bytes) -> UpgradeRequest | InvalidRequest:
    try:
        return parse_body(body)
    except InvalidRequest as refused:
        return refused


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_an_invalid_one(body: bytes) -> None:
    outcome(body)


@given(DOCUMENTS, st.booleans())
def test_any_json_is_a_request_or_an_invalid_one(document: Any, escaped: bool) -> None:
    found = outcome(json.dumps(document, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))
    if isinstance(found, UpgradeRequest):
        assert found.customer_id == CUSTOMER
        assert found.product_family in FAMILIES
        assert found.request_id.isascii()


@given(st.text(alphabet=st.sampled_from("§éżКё\ud800"), min_size=3, max_size=20), st.sampled_from(NAMES))
def test_the_reason_never_quotes_the_body(text: str, name: str) -> None:
    data = {**MINIMAL, name: text}
    for document in (data, {**EVENT, "data": data}, {text: {**EVENT, "data": text}}, text, [text]):
        found = outcome(json.dumps(document).encode())
        if isinstance(found, InvalidRequest):
            shown = f"{found} {found!r} {found.reason} {found.where} {found.__cause__} {found.__suppress_context__}"
            assert not set(text) & set(shown)
            assert found.__suppress_context__ or found.__context__ is None
