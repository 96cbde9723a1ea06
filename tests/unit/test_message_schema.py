"""The published schema and the parser agree on every document, and AsyncAPI's messages are of that schema."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from local.component import REPOSITORY
from shared.errors import InvalidRequest
from shared.messages import Message, parse

DOCS = REPOSITORY / "docs"
SCHEMA = json.loads((DOCS / "message.schema.json").read_text())
ASYNCAPI = json.loads((DOCS / "asyncapi.json").read_text())
CONTRACT = Draft202012Validator(SCHEMA)
CUSTOMER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
# Of each property values that are right, and values that are nearly so; the schema's own patterns make none of them.
VALID: dict[str, st.SearchStrategy[Any]] = {
    "customerId": st.sampled_from([CUSTOMER, CUSTOMER.upper()]),
    "productFamily": st.sampled_from(["Azure", "azure", "AZURE"]),
    "requestId": st.none() | st.sampled_from(["a" * 128, "~", "!", "wave-1/contoso"]),
    "specversion": st.just("1.0"),
    "id": st.sampled_from(["event-1", "", 7, None]),
}
FAULTS: dict[str, list[Any]] = {
    "customerId": [f"{{{CUSTOMER}}}", f"{CUSTOMER}\n", f"{CUSTOMER}0", CUSTOMER[:-1], "\u0662" * 36, None, 7],
    "productFamily": ["", "Azur", "Azure ", "Azure\n", "A\u017fure", "Azure plan", None],
    "requestId": ["a" * 129, "", "a\n", "a b", " ", "\u00e9", "\x7f", "a\x1f", 7, {}],
    "specversion": ["0.3", "1", 1.0, None],
    "data": [None, "text", [], {}],
}
NEARLY = {name: st.sampled_from(values) for name, values in FAULTS.items()} | {"id": json_values}
unknown = st.dictionaries(st.text(max_size=8), json_values, max_size=2)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """One that is right, or has one fault."""
    names = ["customerId", "productFamily", *draw(st.sampled_from([[], ["requestId"]]))]
    return draw(unknown) | draw(_one_fault({name: draw(VALID[name]) for name in names}))


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    right = {"specversion": "1.0", "id": draw(VALID["id"]), "data": draw(requests())}
    return draw(unknown) | draw(_one_fault(right))


@st.composite
def _one_fault(draw: st.DrawFn, right: dict[str, Any]) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(right)))
    wrong = draw(NEARLY[name] | json_values)
    without = {key: value for key, value in right.items() if key != name}
    return draw(st.sampled_from([right, right, {**right, name: wrong}, {**right, name: wrong}, without]))


def is_accepted(document: object) -> bool:
    body = json.dumps(document).encode()
    try:
        parse(Message(body, "message-1", 7, datetime(2026, 3, 1, tzinfo=UTC)), ("Azure",))
    except InvalidRequest:
        return False
    return True


@settings(max_examples=600, deadline=None)
@given(requests() | events() | json_values)
@example({"customerId": CUSTOMER, "productFamily": "azure", "requestId": None, "more": [1]})
@example({"specversion": "1.0", "data": {"customerId": CUSTOMER, "productFamily": "Azure"}, "id": 7})
@example({"specversion": None, "customerId": CUSTOMER, "productFamily": "Azure"})
def test_what_the_schema_takes_the_parser_takes_and_nothing_else(document: object) -> None:
    assert CONTRACT.is_valid(document) == is_accepted(document)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FAULTS.items() for value in values])
def test_neither_takes_a_fault(name: str, value: object) -> None:
    kind = "event" if name in ("specversion", "data") else "request"
    document = {**SCHEMA["$defs"][kind]["examples"][0], name: value}
    assert (is_accepted(document), CONTRACT.is_valid(document)) == (False, False)


@pytest.mark.parametrize("kind", ["request", "event"])
def test_the_schemas_examples_are_requests(kind: str) -> None:
    for document in SCHEMA["$defs"][kind]["examples"]:
        assert is_accepted(document)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ["request", "event"])
def test_asyncapis_messages_are_of_the_schema(name: str) -> None:
    message = ASYNCAPI["components"]["messages"][name]
    file, _, pointer = message["payload"]["schema"]["$ref"].partition("#")
    assert (DOCS / file).is_file()
    assert pointer == f"/$defs/{name}"
    for sample in message["examples"]:
        jsonschema.validate(sample["payload"], SCHEMA, Draft202012Validator)


def test_asyncapis_references_lead_somewhere() -> None:
    for reference in _references(ASYNCAPI):
        file, _, pointer = reference.partition("#/")
        found: Any = json.loads((DOCS / file).read_text()) if file else ASYNCAPI
        for part in pointer.split("/"):
            found = found[part]


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for value in node for found in _references(value)] if isinstance(node, list) else []
