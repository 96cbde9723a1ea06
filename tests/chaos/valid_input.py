"""Requests as a producer would send them (README, "The message"): what bad input starts from.

Nothing here or in the modules of bad input asks the parser what it thinks: they are an oracle of their own.
"""

import json
from random import Random
from typing import Any
from uuid import UUID

MAX_BYTES = 64 * 1024
MAX_LEVELS = 16
FAMILY = "Azure"
FIELDS = ("customerId", "productFamily", "requestId")
ABSENT: Any = object()  # as the value of a field: the property is left out
MARK = "@@"  # stands in a document for what no JSON writer would write, and is replaced in its text


def customer_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def request_id(random: Random) -> str:
    return f"wave-{random.randint(1, 9)}/{random.randint(1, 99_999)}"


def extra(random: Random, canary: str) -> dict[str, Any]:
    """A property that no request knows; it holds the canary."""
    return random.choice(
        [{"note": canary}, {"tags": [1, canary, None]}, {canary: True}, {"sales": {"owner": {"name": canary}}}]
    )


def request(random: Random, canary: str, **fields: Any) -> dict[str, Any]:
    """A request's document, its properties in any order. `fields` replace or add some."""
    document = {
        "customerId": customer_id(random),
        "productFamily": FAMILY,
        "requestId": request_id(random),
        **extra(random, canary),
        **fields,
    }
    members = [(name, value) for name, value in document.items() if value is not ABSENT]
    return dict(random.sample(members, len(members)))


def envelope(random: Random, canary: str, **attributes: Any) -> dict[str, Any]:
    """A CloudEvents 1.0 envelope around a request; it holds the canary even where its data does not."""
    document = {
        "specversion": "1.0",
        "id": f"event-{random.randint(1, 99_999)}",
        "source": "/orders",
        "type": "upgrade.requested",
        "subject": f"orders/{canary}",
        "datacontenttype": "application/json",
        "data": request(random, canary),
        **attributes,
    }
    return {name: value for name, value in document.items() if value is not ABSENT}


def written(random: Random, document: Any) -> bytes:
    """A document in one of the spellings that JSON writers have."""
    text = json.dumps(
        document,
        ensure_ascii=random.random() < 0.5,
        indent=random.choice([None, None, 2, "\t"]),
        separators=random.choice([(",", ":"), (", ", ": "), (",", " : ")]),
    )
    return text.encode()


def body(random: Random, canary: str, **fields: Any) -> bytes:
    """A request, plain or in an envelope. `fields` replace or add some of its properties."""
    document = request(random, canary, **fields)
    return written(random, document if random.random() < 0.7 else envelope(random, canary, data=document))


def text_of(random: Random, canary: str, *raw_members: str) -> str:
    """As `body`, with members whose text is given, each at any place among the request's own."""
    members = [json.dumps({name: value})[1:-1] for name, value in request(random, canary).items()]
    for raw in raw_members:
        members.insert(random.randint(0, len(members)), raw)
    text = "{" + ", ".join(members) + "}"
    return text if random.random() < 0.7 else in_envelope(random, canary, text)


def in_envelope(random: Random, canary: str, text: str) -> str:
    return json.dumps(envelope(random, canary, data=MARK)).replace(json.dumps(MARK), text)


def replaced(marked: bytes, token: str, raw: bytes) -> bytes:
    """A body with `raw` in the place of the token that holds the mark."""
    before, after = marked.split(token.encode())
    return before + raw + after


def escaped(random: Random, string: str) -> str:
    """A string in JSON, some of its characters as escapes in either case."""
    formats = ("\\u{:04x}", "\\u{:04X}")
    escapes = [random.choice(formats).format(ord(letter)) for letter in string]
    letters = [json.dumps(letter)[1:-1] for letter in string]
    return '"' + "".join(map(random.choice, zip(letters, escapes, strict=True))) + '"'
