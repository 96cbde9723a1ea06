"""Bodies whose request is not where the contract looks for it: broken CloudEvents 1.0 envelopes, other wrappings."""

import json
from base64 import b64encode
from random import Random
from typing import Any

from tests.chaos.valid_input import ABSENT, envelope, extra, request, written


def specversion_wrong(random: Random, canary: str) -> bytes:
    versions: list[Any] = ["0.3", "1", "1.0.0", "1.1", "2.0", "1.0 ", "\uff11.0", "", None, 1.0, 1, True, ["1.0"], {}]
    version = random.choice(versions)
    return written(random, envelope(random, canary, specversion=version))


def specversion_missing(random: Random, canary: str) -> bytes:
    name = random.choice(["SpecVersion", "specVersion", "cloudEventsVersion", "ce-specversion", "specversion "])
    return written(random, envelope(random, canary, **{"specversion": ABSENT, name: "1.0"}))


def specversion_beside_the_fields(random: Random, canary: str) -> bytes:
    """A request with the mark of an envelope, and no data."""
    return written(random, request(random, canary, specversion="1.0"))


def data_missing(random: Random, canary: str) -> bytes:
    return written(random, envelope(random, canary, **{"data": ABSENT, random.choice(["Data", "payload"]): {}}))


def data_null(random: Random, canary: str) -> bytes:
    return written(random, envelope(random, canary, data=None))


def data_of_another_type(random: Random, canary: str) -> bytes:
    inner = request(random, canary)
    return written(random, envelope(random, canary, data=random.choice([[], [inner], 0, 1.5, True, "", canary])))


def data_empty(random: Random, canary: str) -> bytes:
    return written(random, envelope(random, canary, data=random.choice([{}, extra(random, canary)])))


def data_as_text(random: Random, canary: str) -> bytes:
    text = json.dumps(request(random, canary))
    content_type = random.choice(["application/json", "text/plain"])
    return written(random, envelope(random, canary, data=text, datacontenttype=content_type))


def data_in_base64(random: Random, canary: str) -> bytes:
    encoded = b64encode(json.dumps(request(random, canary)).encode()).decode()
    return written(random, envelope(random, canary, data=ABSENT, data_base64=encoded))


def envelope_in_an_envelope(random: Random, canary: str) -> bytes:
    return written(random, envelope(random, canary, data=envelope(random, canary)))


def fields_outside_of_the_data(random: Random, canary: str) -> bytes:
    outside = request(random, canary)
    return written(random, envelope(random, canary, **{**outside, "data": extra(random, canary)}))


def batch_of_events(random: Random, canary: str) -> bytes:
    return written(random, [envelope(random, canary) for _ in range(random.randint(1, 3))])


def event_grid_schema(random: Random, canary: str) -> bytes:
    """Event Grid's own schema, from before CloudEvents."""
    event = {
        "id": "event-1",
        "topic": "/orders",
        "subject": canary,
        "eventType": "upgrade.requested",
        "eventTime": "2026-03-01T12:00:00Z",
        "data": request(random, canary),
        "dataVersion": "1",
        "metadataVersion": "1",
    }
    return written(random, random.choice([event, [event]]))


def wrapped_in_a_property(random: Random, canary: str) -> bytes:
    name = random.choice(["data", "request", "body", "value", "", "__proto__", "$", canary])
    return written(random, {name: request(random, canary)})


def array_of_requests(random: Random, canary: str) -> bytes:
    return written(random, [request(random, canary) for _ in range(random.randint(1, 3))])


def json_in_a_string(random: Random, canary: str) -> bytes:
    return written(random, json.dumps(request(random, canary)))


def string(random: Random, canary: str) -> bytes:
    before = random.choice(["", "customerId=", "\x00", "\u2028", "{", "[", "\\", "'", "../", "\ufeff"])
    return written(random, before + canary)


def array(random: Random, canary: str) -> bytes:
    return written(random, random.choice([[canary], [[canary]], ["customerId", canary], [{}, canary]]))


def bare_literal(random: Random, canary: str) -> bytes:
    return random.choice([b"null", b"true", b"false", b"0", b"-1.5e3", b"[]", b"{}", b'""', b" null\n", b"1e999"])


def object_without_a_field(random: Random, canary: str) -> bytes:
    return written(random, extra(random, canary))
