"""Message bodies for the campaign: an endless stream that are no requests, and odd ones that are.

What a kind makes is wrong by construction: no parser was asked. Every body that can carry text holds the canary.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from inspect import isfunction
from itertools import chain
from random import Random
from typing import Any

from tests.chaos import bad_bytes, bad_envelopes, bad_fields, bad_json
from tests.chaos.valid_input import FAMILY, FIELDS, MAX_BYTES, MAX_LEVELS, envelope, escaped, extra, request

type Kind = Callable[[Random, str], bytes]


def _kinds(module: object) -> Iterator[tuple[str, Kind]]:
    """Every public function that a module defines is a kind."""
    for name, member in vars(module).items():
        if isfunction(member) and member.__module__ == vars(module)["__name__"] and not name.startswith("_"):
            yield name, member


KINDS: Mapping[str, Kind] = dict(chain.from_iterable(map(_kinds, (bad_fields, bad_envelopes, bad_json, bad_bytes))))
WITHOUT_CANARY = frozenset({"nothing", "blanks", "bare_literal"})


def bad_bodies(random: Random, canary: str) -> Iterator[bytes]:
    """Bodies of all kinds, in rounds: each kind once, in any order.

    `canary`: ASCII letters, digits and hyphens that are neither a customer id nor a family.
    """
    while True:
        for kind in random.sample(list(KINDS.values()), len(KINDS)):
            yield kind(random, canary)


def odd_but_valid(random: Random, customer_id: str, request_id: str, canary: str) -> bytes:
    """A body that is the request for these ids, in a form that few producers send. `canary`: see `bad_bodies`."""
    cases = [str.upper, str.lower, str.title, str.swapcase]
    fields = {"customerId": random.choice(cases)(customer_id), "productFamily": random.choice(cases)(FAMILY)}
    document = random.choice([_plain, _named_by_its_data, _named_by_its_event])(random, canary, fields, request_id)
    return _odd_spelling(random, document, (*fields.values(), request_id))


def _plain(random: Random, canary: str, fields: dict[str, str], request_id: str) -> dict[str, Any]:
    return request(random, canary, **fields, **_odd_extras(random, 1), requestId=request_id)


def _named_by_its_data(random: Random, canary: str, fields: dict[str, str], request_id: str) -> dict[str, Any]:
    data = request(random, canary, **fields, **_odd_extras(random, 2), requestId=request_id)
    return envelope(random, canary, data=data, **_decoys(random))


def _named_by_its_event(random: Random, canary: str, fields: dict[str, str], request_id: str) -> dict[str, Any]:
    unnamed: dict[str, Any] = {**fields, **extra(random, canary), **_odd_extras(random, 2)}
    data = unnamed | random.choice([{}, {"requestId": None}])
    return envelope(random, canary, data=data, id=request_id, **_decoys(random))


def _decoys(random: Random) -> dict[str, Any]:
    """Beside an envelope's data the names of fields mean nothing."""
    return random.choice(
        [{}, {"customerId": 7, "requestId": "decoy"}, {"productFamily": None, "note": {"customerId": []}}]
    )


def _odd_extras(random: Random, levels: int) -> dict[str, Any]:
    """Properties that are ignored; `levels`: of the place that they are for."""
    deepest: Any = "bottom"
    for _ in range(MAX_LEVELS - levels):
        deepest = random.choice([[deepest], {"x": deepest}])
    extras = {
        "deepest": deepest,
        "CustomerId": None,
        "requestid": "decoy",
        "productFamily ": "Office",
        "": [],
        "__proto__": {"customerId": "decoy"},
        "nested": {"specversion": "0.3", "customerId": [None, {"customerId": 1}]},
        "\u0441ustomerId": "\u202e\u2028\u00e9\N{FACE WITH TEARS OF JOY}\x7f",
        "numbers": [-0.0, 1e300, 10**400, 5e-324],
        "lone surrogate": "\ud83d",
        "controls": "\x00\r\n\t\x1b[2J",
        "injection": "' or 1 eq 1; {{7*7}} ../../ %2F",
        "long": "x" * random.choice([500, 5_000, 50_000]),
    }
    return {name: extras[name] for name in random.sample(list(extras), random.randint(0, 4))}


def _odd_spelling(random: Random, document: dict[str, Any], values: tuple[str, ...]) -> bytes:
    text = json.dumps(
        document,
        ensure_ascii=random.random() < 0.5,
        indent=random.choice([None, None, 0, 3, "\t"]),
        separators=random.choice([(",", ":"), (",", ": "), (" ,\r\n\t", "\t:\n  ")]),
    )
    for string in (*FIELDS, "specversion", "data", "id", "1.0", *values):
        if random.random() < 0.3:
            text = text.replace(json.dumps(string), escaped(random, string))
    blank = random.choice(["", "", "\n", " \t\r\n"])
    text = random.choice(["", "", "\ufeff"]) + blank + text + blank
    body = text.encode(errors="backslashreplace")  # UTF-8 has no lone surrogates; this spells them as JSON does
    return random.choice([*[body] * 18, body.ljust(MAX_BYTES), body.ljust(MAX_BYTES - 1, b"\n")])
