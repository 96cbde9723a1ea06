"""Bodies that are well-formed JSON, with a field that breaks the contract (README, "The message")."""

import json
from base64 import b64encode
from random import Random
from typing import Any
from uuid import UUID

from tests.chaos.valid_input import ABSENT, FAMILY, FIELDS, MARK, body, customer_id, replaced, request_id

# Each is a proper (part of a) request id, but no part of a GUID or of a family.
VISIBLE_INJECTIONS = (
    *("'or''='", "../../", "..\\..\\", "%2F..%2F", "|", "#", "?$filter=true", "{{7*7}}", "${jndi:ldap://x}", "$(id)"),
    *("%00", "%0d%0aX-Injected:1", "<script>", "&api-version=1", "*", "'", '"', "%s%n", "+", "\\u0000"),
)
INJECTIONS = (
    *("' or 1 eq 1", "' or '1' eq '1", "\x00", "\r\nX-Injected: 1", "\nrequest.invalid {}", "'; drop table x; --"),
    *("\x1b[2J", "\N{LINE SEPARATOR}x", "\N{RIGHT-TO-LEFT OVERRIDE}x", "$filter=a eq b", "<a href=x>", "{{ 7 * 7 }}"),
)
LOOK_ALIKES = (
    *("\N{FULLWIDTH DIGIT SIX}", "\N{ARABIC-INDIC DIGIT THREE}", "\N{DEVANAGARI DIGIT FOUR}", "\N{SUPERSCRIPT TWO}"),
    *("\N{CYRILLIC SMALL LETTER A}", "\N{CYRILLIC SMALL LETTER IE}", "\N{CYRILLIC SMALL LETTER ES}"),
    *("\N{FULLWIDTH LATIN SMALL LETTER A}", "\N{MATHEMATICAL MONOSPACE DIGIT ONE}", "\N{CYRILLIC CAPITAL LETTER VE}"),
)
HYPHENS = ("\N{HYPHEN}", "\N{MINUS SIGN}", "\N{EN DASH}", "\N{SOFT HYPHEN}", "_", ":", " ", "%2D", "--")
BLANKS = (" ", "\t", "\n", "\r\n", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}", "\ufeff", "\N{IDEOGRAPHIC SPACE}")
CONTROLS = (*map(chr, range(0x20)), "\x7f", "\x80", "\x9f")


def _not_a_string(random: Random, text: str) -> Any:
    return random.choice([0, -1, 7.5, 1e300, 10**40, True, False, [], {}, [text], {"value": text}, [[text]]])


def _around(random: Random, text: str, blank: str) -> str:
    return random.choice([text + blank, blank + text, blank + text + blank])


def customer_id_missing(random: Random, canary: str) -> bytes:
    return body(random, canary, customerId=ABSENT)


def customer_id_null(random: Random, canary: str) -> bytes:
    return body(random, canary, customerId=None)


def customer_id_of_another_type(random: Random, canary: str) -> bytes:
    return body(random, canary, customerId=_not_a_string(random, customer_id(random)))


def customer_id_as_an_odd_number(random: Random, canary: str) -> bytes:
    raw = random.choice([b"9" * 5000, b"-" + b"1" * 4301, b"1e999", b"-0", b"-1E-999", b"0." + b"3" * 5000])
    return replaced(body(random, canary, customerId=MARK), json.dumps(MARK), raw)


def customer_id_empty(random: Random, canary: str) -> bytes:
    return body(random, canary, customerId=random.choice(["", *BLANKS, "-", "----", "null", "undefined"]))


def customer_id_not_a_guid(random: Random, canary: str) -> bytes:
    name = f"contoso{random.randint(1, 999)}"
    texts = [f"{name}.onmicrosoft.com", name, f"https://{name}", str(random.getrandbits(60)), "common", canary]
    return body(random, canary, customerId=random.choice(texts))


def guid_in_another_notation(random: Random, canary: str) -> bytes:
    guid = customer_id(random)
    bare = guid.replace("-", "")
    notations = [f"{{{guid}}}", f"({guid})", f"urn:uuid:{guid}", bare, f"0x{bare}", f"'{guid}'", f'"{guid}"']
    notations += [f"guid'{guid}'", b64encode(UUID(guid).bytes).decode(), str(UUID(guid).int), f"{guid},{guid}"]
    return body(random, canary, customerId=random.choice(notations))


def guid_with_a_look_alike(random: Random, canary: str) -> bytes:
    guid = customer_id(random)
    at = random.choice([place for place, letter in enumerate(guid) if letter != "-"])
    return body(random, canary, customerId=guid[:at] + random.choice([*LOOK_ALIKES, "g", "O", "l"]) + guid[at + 1 :])


def guid_with_other_hyphens(random: Random, canary: str) -> bytes:
    count = random.randint(1, 4)
    return body(random, canary, customerId=customer_id(random).replace("-", random.choice(HYPHENS), count))


def guid_with_hyphens_elsewhere(random: Random, canary: str) -> bytes:
    bare = customer_id(random).replace("-", "")
    sizes = random.choice([(9, 3, 4, 4, 12), (8, 4, 4, 5, 11), (12, 4, 4, 4, 8), (4, 8, 4, 4, 12), (16, 16)])
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    parts = [bare[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    return body(random, canary, customerId="-".join(parts))


def guid_of_another_length(random: Random, canary: str) -> bytes:
    guid = customer_id(random)
    at = random.randrange(len(guid))
    shorter, longer = guid[:at] + guid[at + 1 :], guid[:at] + random.choice("0f") + guid[at:]
    return body(random, canary, customerId=random.choice([shorter, longer, guid + guid, guid * 50]))


def guid_with_blanks(random: Random, canary: str) -> bytes:
    return body(random, canary, customerId=_around(random, customer_id(random), random.choice([*BLANKS, "\x00"])))


def customer_id_injection(random: Random, canary: str) -> bytes:
    injection = random.choice(INJECTIONS + VISIBLE_INJECTIONS)
    return body(random, canary, customerId=_around(random, customer_id(random), injection))


def family_missing(random: Random, canary: str) -> bytes:
    return body(random, canary, productFamily=ABSENT)


def family_null(random: Random, canary: str) -> bytes:
    return body(random, canary, productFamily=None)


def family_of_another_type(random: Random, canary: str) -> bytes:
    return body(random, canary, productFamily=_not_a_string(random, FAMILY))


def family_empty(random: Random, canary: str) -> bytes:
    return body(random, canary, productFamily=random.choice(["", *BLANKS]))


def family_unknown(random: Random, canary: str) -> bytes:
    families = ["Office", "Microsoft 365", "Azur", "Azures", "AzureAzure", "A", "Azure,Azure", "*", "zure", canary]
    return body(random, canary, productFamily=random.choice(families))


def family_with_a_look_alike(random: Random, canary: str) -> bytes:
    letters = [("A", "\N{CYRILLIC CAPITAL LETTER A}"), ("A", "\N{GREEK CAPITAL LETTER ALPHA}"), ("A", "\uff21")]
    letters += [("z", "\N{LATIN LETTER SMALL CAPITAL Z}"), ("u", "\N{GREEK SMALL LETTER UPSILON}"), ("r", "r\u0301")]
    letters += [("e", "\N{CYRILLIC SMALL LETTER IE}"), ("e", "\N{LATIN SMALL LETTER E WITH ACUTE}"), ("A", "4")]
    return body(random, canary, productFamily=FAMILY.replace(*random.choice(letters)))


def family_with_blanks(random: Random, canary: str) -> bytes:
    return body(random, canary, productFamily=_around(random, FAMILY, random.choice([*BLANKS, "\x00"])))


def family_injection(random: Random, canary: str) -> bytes:
    injection = random.choice(INJECTIONS + VISIBLE_INJECTIONS)
    return body(random, canary, productFamily=_around(random, FAMILY, injection))


def request_id_of_another_type(random: Random, canary: str) -> bytes:
    return body(random, canary, requestId=_not_a_string(random, request_id(random)))


def request_id_empty(random: Random, canary: str) -> bytes:
    return body(random, canary, requestId="")


def request_id_too_long(random: Random, canary: str) -> bytes:
    return body(random, canary, requestId="r" * random.choice([129, 130, 256, 1025, 5000]))


def request_id_with_blanks(random: Random, canary: str) -> bytes:
    first, second = request_id(random), random.choice(["", request_id(random)])
    return body(random, canary, requestId=_around(random, first, random.choice(BLANKS)) + second)


def request_id_with_a_control(random: Random, canary: str) -> bytes:
    return body(random, canary, requestId=_around(random, request_id(random), random.choice(CONTROLS)))


def request_id_beyond_ascii(random: Random, canary: str) -> bytes:
    letter = random.choice([*LOOK_ALIKES, "\u00e9", "e\u0301", "\N{FACE WITH TEARS OF JOY}", "\u200d", "\U0010ffff"])
    return body(random, canary, requestId=_around(random, request_id(random), letter))


def request_id_injection(random: Random, canary: str) -> bytes:
    return body(random, canary, requestId=_around(random, request_id(random), random.choice(INJECTIONS)))


def lone_surrogate_in_a_field(random: Random, canary: str) -> bytes:
    values = {"customerId": customer_id(random), "productFamily": FAMILY, "requestId": request_id(random)}
    name = random.choice(FIELDS)
    escape = random.choice([rb"\ud800", rb"\uDFFF", rb"\uDC00\uD800", rb"\ud83d"])
    return replaced(body(random, canary, **{name: values[name] + MARK}), MARK, escape)


def name_that_only_looks_right(random: Random, canary: str) -> bytes:
    names = {
        "customerId": ["customerid", "CustomerId", "customer_id", "customerId ", "\u0441ustomerId", "customerId\x00"],
        "productFamily": ["productfamily", "ProductFamily", "product_family", " productFamily", "product\u200bFamily"],
    }
    name = random.choice(list(names))
    value = customer_id(random) if name == "customerId" else FAMILY
    return body(random, canary, **{name: ABSENT, random.choice(names[name]): value})


def all_fields_wrong(random: Random, canary: str) -> bytes:
    return body(random, canary, **{name: _not_a_string(random, canary) for name in FIELDS})


def customer_and_family_swapped(random: Random, canary: str) -> bytes:
    return body(random, canary, customerId=FAMILY, productFamily=customer_id(random))
