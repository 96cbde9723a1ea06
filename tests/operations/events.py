"""The log events: those that the code can write, found in its syntax tree, and those of the table in docs/events.md."""

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from local.component import REPOSITORY

SOURCES = (*sorted((REPOSITORY / "shared").glob("*.py")), REPOSITORY / "CreateUpgrade" / "__init__.py")
PAGE = REPOSITORY / "docs" / "events.md"
LEVELS = {"debug", "info", "warning", "error"}
_LINE = re.compile(r"([a-z]+\.[a-z_]+) %s")  # a line that is written without `emit`: the event's name, then its JSON


@dataclass
class Event:
    """The levels that an event is written at, and every field that it may carry."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def documented() -> dict[str, Event]:
    """The table: events, levels and fields stand in its first three columns."""
    text = PAGE.read_text()
    of_request = set(_quoted(text.partition("*request* stands for")[2].partition("\n\n")[0]))
    found: dict[str, Event] = {}
    for row in re.findall(r"^\| (`.+) \|$", text, re.MULTILINE):
        events, levels, fields, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", row))
        event = Event(set(re.findall(r"[a-z]+", levels)) & LEVELS, set(_quoted(fields)))
        event.fields |= of_request if "*request*" in fields else set()
        found |= dict.fromkeys(_quoted(events), event)
    return found


@functools.cache
def written() -> dict[str, Event]:
    """What the code can write."""
    found: dict[str, Event] = {}
    for function, call in _calls():
        for name, fields in _emitted(function, call):
            event = found.setdefault(name, Event())
            event.levels |= _levels(function, call)
            event.fields |= fields
    return found


def _quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@functools.cache
def _functions() -> tuple[ast.FunctionDef, ...]:
    nodes = [node for file in SOURCES for node in ast.walk(ast.parse(file.read_text()))]
    return tuple(node for node in nodes if isinstance(node, ast.FunctionDef))


def _calls() -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    for function in _functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                yield function, node


def _emitted(function: ast.FunctionDef, call: ast.Call) -> Iterator[tuple[str, set[str]]]:
    """The events of one call, each with its fields; none where it is no line of the log."""
    if _name(call.func) == "emit":
        for caller, via in _ways_to(function, call):
            for name in _texts(caller, via.event):
                yield name, via.fields
    elif call.args and isinstance(call.args[0], ast.Constant) and (line := _LINE.fullmatch(str(call.args[0].value))):
        yield line[1], _keys(function, call.args[1])


@dataclass
class _Way:
    event: ast.expr
    fields: set[str]


def _ways_to(function: ast.FunctionDef, call: ast.Call) -> Iterator[tuple[ast.FunctionDef, _Way]]:
    """The call itself; or, where its event or fields are its function's own arguments, each call of that function."""
    own = set[str]().union(*(_fields(function, keyword) for keyword in call.keywords))
    parameters = [argument.arg for argument in function.args.args]
    event = call.args[1]
    rest = function.args.kwarg
    passed = isinstance(event, ast.Name) and event.id in parameters
    if not passed and not (rest and any(_is_name(keyword.value, rest.arg) for keyword in call.keywords)):
        yield function, _Way(event, own)
        return
    for caller, outer in _calls():
        if _name(outer.func) == function.name:
            given = {keyword.arg for keyword in outer.keywords if keyword.arg} - set(parameters)
            place = parameters.index(_id(event)) - (parameters[0] == "self") if passed else 0
            yield caller, _Way(outer.args[place] if passed else event, own | given)


def _fields(function: ast.FunctionDef, keyword: ast.keyword) -> set[str]:
    """The fields of `name=...`, or of `**...`."""
    if keyword.arg:
        return {keyword.arg}
    rest = function.args.kwarg
    return set() if rest and _is_name(keyword.value, rest.arg) else _keys(function, keyword.value)


def _keys(function: ast.FunctionDef, value: ast.expr) -> set[str]:
    """The keys of a mapping: a literal, a name that one is assigned to, or what a function of the core returns."""
    match value:
        case ast.Dict(keys=keys):
            return {str(key.value) for key in keys if isinstance(key, ast.Constant)}
        case ast.Name():
            return set[str]().union(*(_keys(function, each) for each in _assigned(function, value.id)))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="json")), args=[content]):
            return _keys(function, content)
        case ast.Call():
            makers = [each for each in _functions() if each.name == _name(value.func)]
            returned = [
                (maker, node.value) for maker in makers for node in ast.walk(maker) if isinstance(node, ast.Return)
            ]
            return set[str]().union(*(_keys(maker, node) for maker, node in returned if node))
    raise AssertionError(f"cannot tell the fields of {ast.unparse(value)}")


def _texts(function: ast.FunctionDef, value: ast.expr) -> set[str]:
    """The texts that an expression may be."""
    match value:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp():
            return _texts(function, value.body) | _texts(function, value.orelse)
        case ast.Name():
            return set[str]().union(*(_texts(function, each) for each in _assigned(function, value.id)))
    raise AssertionError(f"cannot tell the event of {ast.unparse(value)}")


def _levels(function: ast.FunctionDef, call: ast.Call) -> set[str]:
    if _name(call.func) != "emit":
        return {_name(call.func)}
    level = call.args[0]
    looked_at = _assigned(function, level.id) if isinstance(level, ast.Name) else [level]
    names = [_name(node) for each in looked_at for node in ast.walk(each) if isinstance(node, ast.Attribute)]
    return {name.lower() for name in names} & LEVELS


def _assigned(function: ast.FunctionDef, name: str) -> list[ast.expr]:
    nodes = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
    return [node.value for node in nodes if any(_is_name(target, name) for target in node.targets)]


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _id(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _name(node: ast.expr) -> str:
    """`f` of both `f` and `x.f`."""
    return node.attr if isinstance(node, ast.Attribute) else _id(node)
