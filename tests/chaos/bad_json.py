"""Bodies that are nearly JSON (RFC 8259), as lenient parsers take them, and objects that name a property twice."""

import json
from random import Random

from tests.chaos.valid_input import FIELDS, envelope, escaped, request, text_of

NUMBERS = ("01", "-01", "+1", ".5", "1.", "1e", "1e+", "0x1F", "0b1", "1_000", "--1", "-", "\uff11", "\u0663", "1 2")
LITERALS = ("True", "None", "undefined", "nul", "NULL", "nil", "TRUE", "'x'", "`x`", "new Date()", "(1)", "<x/>", "@1")
ESCAPES = (
    *(r"\x41", r"\'", r"\8", r"\0", r"\u12", r"\u00_1", r"\u+041", r"\u-041", r"\u 041", r"\u{41}", r"\U00000041"),
    *("\\u\uff10041", r"\a", "\\\n", r"\N{BULLET}"),
)
NOT_BLANKS = ("\xa0", "\x0b", "\x0c", "\x85", "\x1c", "\u2028", "\u3000", "\ufeff", "\u200b", "\x00", "\x08")


def _with(random: Random, canary: str, *raw_members: str) -> bytes:
    return text_of(random, canary, *raw_members).encode()


def truncated(random: Random, canary: str) -> bytes:
    text = f'{{"note": "{canary}", {text_of(random, canary)[1:]}'
    return text[: random.randint(text.index(canary) + len(canary), len(text) - 1)].encode()


def comma_too_many(random: Random, canary: str) -> bytes:
    return _with(random, canary, *[""] * random.randint(1, 3))


def comma_missing(random: Random, canary: str) -> bytes:
    return _with(random, canary, random.choice(['"x": 1 "y": 2', '"x": [1 2]', '"x": {"y": 1 "z": 2}', '"x": "y" "z"']))


def colon_wrong(random: Random, canary: str) -> bytes:
    return _with(random, canary, random.choice(['"x" 1', '"x"= 1', '"x" => 1', '"x":: 1', '"x": 1: 2', '"x"', '"x":']))


def semicolon_for_a_comma(random: Random, canary: str) -> bytes:
    return _with(random, canary, '"x": 1; "y": 2')


def single_quotes(random: Random, canary: str) -> bytes:
    return text_of(random, canary).replace('"', "'").encode()


def name_in_other_quotes(random: Random, canary: str) -> bytes:
    quoted = ["'x'", "`x`", "\u201cx\u201d", "\u00abx\u00bb", '""x""', "\\x22x\\x22", "&quot;x&quot;"]
    return _with(random, canary, f"{random.choice(quoted)}: 1")


def name_without_quotes(random: Random, canary: str) -> bytes:
    return _with(random, canary, f"{random.choice(['x', '$x', '1', 'null', '[1]', '', '{}', '-'])}: 1")


def comment(random: Random, canary: str) -> bytes:
    comments = [f"/* {canary} */ ", f"// {canary}\n", f"# {canary}\n", f"<!-- {canary} -->", f"-- {canary}\n"]
    member, note = '"x": 1', random.choice(comments)
    return _with(random, canary, random.choice([note + member, member + note]))


def constant_that_is_not_json(random: Random, canary: str) -> bytes:
    constant = random.choice(["NaN", "Infinity", "-Infinity"])
    return _with(random, canary, random.choice([f'"x": {constant}', f'"x": [{constant}]', f'"x": {{"y": {constant}}}']))


def number_that_is_not_json(random: Random, canary: str) -> bytes:
    return _with(random, canary, f'"x": {random.choice(NUMBERS)}')


def literal_that_is_not_json(random: Random, canary: str) -> bytes:
    return _with(random, canary, f'"x": {random.choice(LITERALS)}')


def escape_that_is_not_json(random: Random, canary: str) -> bytes:
    escape = random.choice(ESCAPES)
    return _with(random, canary, random.choice([f'"x": "{escape}"', f'"x{escape}": 1']))


def raw_control_in_a_string(random: Random, canary: str) -> bytes:
    control = chr(random.randrange(0x20))
    return _with(random, canary, random.choice([f'"x": "a{control}b"', f'"x{control}": 1', f'"x": "{control}"']))


def blank_that_is_not_json(random: Random, canary: str) -> bytes:
    blank = random.choice(NOT_BLANKS)
    return _with(random, canary, random.choice([f'{blank}"x": 1', f'"x":{blank}1', f'"x": 1{blank}']))


def bracket_wrong(random: Random, canary: str) -> bytes:
    members = ['"x": [1', '"x": {"y": 1', '"x": 1]', '"x": 1}}', '"x": [1}', '"x": {"y": 1]', '"x": {1}', '"x": [1: 2]']
    return _with(random, canary, random.choice(members))


def string_without_an_end(random: Random, canary: str) -> bytes:
    return _with(random, canary, random.choice(['"x": "y', '"x: 1', '"x": y"', '"x": "y\\"']))


def closed_by_another_bracket(random: Random, canary: str) -> bytes:
    return (text_of(random, canary)[:-1] + random.choice(["]", ")", ">", "};", "\\}", '"'])).encode()


def two_documents(random: Random, canary: str) -> bytes:
    between = random.choice(["", "\n", " ", ",", ", ", ";", "\n---\n", "\x1e", "\x00"])
    return between.join([text_of(random, canary)] * random.choice([2, 2, 3])).encode()


def garbage_after(random: Random, canary: str) -> bytes:
    garbage = ["}", "]", ",", ";", "\x00", f" {canary}", "\nnull", "0", '""', "//", "\ufeff", "\x1a", "{}", "\xa0"]
    return (text_of(random, canary) + random.choice(garbage)).encode()


def garbage_before(random: Random, canary: str) -> bytes:
    garbage = [")]}',\n", "while(1);", "callback(", "\x1e", "\x00", "[", "{", "=", "data: ", "\ufeff\ufeff", " \ufeff"]
    return (random.choice(garbage) + text_of(random, canary)).encode()


# Named twice


def _value(random: Random, name: str) -> str:
    """A good value of a field, as text."""
    return json.dumps(request(random, "")[name])


def field_named_twice(random: Random, canary: str) -> bytes:
    name = random.choice(FIELDS)
    value = random.choice([_value(random, name), "null", '""', f'"{canary}"'])
    return _with(random, canary, f'"{name}": {value}')


def field_named_twice_by_escapes(random: Random, canary: str) -> bytes:
    name = random.choice(FIELDS)
    return _with(random, canary, f"{escaped(random, name)}: {_value(random, name)}")


def other_property_named_twice(random: Random, canary: str) -> bytes:
    pair = random.choice(
        [
            '"y": 1, "y": 1',
            '"y": 1, "z": 2, "y": 3',
            '"y": {}, "\\u0079": []',
            '"": 0, "": 0',
            '"\\u00e9": 1, "\u00e9": 2',
        ]
    )
    return _with(random, canary, random.choice([f'"x": {{{pair}}}', f'"x": [[{{{pair}}}]]', pair]))


def attribute_named_twice(random: Random, canary: str) -> bytes:
    document = envelope(random, canary)
    name = random.choice(["specversion", "data", "id", "source"])
    again = random.choice([json.dumps(name), escaped(random, name)])
    return f"{{{again}: {json.dumps(document[name])}, {json.dumps(document)[1:]}".encode()
