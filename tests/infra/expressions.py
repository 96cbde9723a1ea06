"""Expressions of ARM templates: parsed, and evaluated as far as our templates go.

Follows "Syntax and expressions in ARM templates". A function that is missing raises: add it to arm_functions.py.
"""

import functools
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>[()\[\],.]))")


class Node(Protocol):
    """A part of a parsed expression."""

    def value(self, scope: "Scope") -> Any: ...


@dataclass(frozen=True)
class Scope:
    """What names stand for while a template is evaluated. `functions` get their arguments' values."""

    functions: Mapping[str, Callable[..., Any]]
    locals: Mapping[str, Any] = field(default_factory=dict)  # of lambdas; `copyIndex` of a loop

    def inner(self, **names: Any) -> "Scope":
        return Scope(self.functions, {**self.locals, **names})


@dataclass(frozen=True)
class Literal:
    content: Any

    def value(self, scope: Scope) -> Any:
        return self.content


@dataclass(frozen=True)
class Member:
    """`of.key` or `of[key]`."""

    of: Node
    key: Node

    def value(self, scope: Scope) -> Any:
        return self.of.value(scope)[self.key.value(scope)]


@dataclass(frozen=True)
class Call:
    name: str
    arguments: tuple[Node, ...]

    def value(self, scope: Scope) -> Any:
        match self.name:
            case "if":
                condition, then, otherwise = self.arguments
                return (then if condition.value(scope) else otherwise).value(scope)
            case "lambda":
                *names, body = self.arguments
                parameters = [name.value(scope) for name in names]
                return lambda *values: body.value(scope.inner(**dict(zip(parameters, values, strict=False))))
            case "lambdaVariables":
                return scope.locals[self.arguments[0].value(scope)]
            case "copyIndex":
                return scope.locals["copyIndex"]
        if self.name not in scope.functions:
            raise NotImplementedError(f"the function {self.name}() of ARM templates: add it to tests/infra")
        return scope.functions[self.name](*(argument.value(scope) for argument in self.arguments))


def is_expression(text: str) -> bool:
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


@functools.cache
def parse(text: str) -> Node:
    """The tree of `[...]`; of any other text the text itself (`[[` stands for one bracket)."""
    if not is_expression(text):
        return Literal(text[1:] if text.startswith("[[") else text)
    tokens = _tokens(text[1:-1])
    node = _node(tokens)
    if tokens:
        raise ValueError(f"left over at the end of {text}: {tokens}")
    return node


def calls(text: str) -> set[str]:
    """The names of all functions that an expression calls."""
    tokens = _tokens(text[1:-1]) if is_expression(text) else []
    return {name for name, sign in itertools.pairwise(tokens) if sign == "(" and name[0].isalpha()}


def evaluate(value: Any, scope: Scope) -> Any:
    """A piece of a template (keys too) with each expression in it replaced by its value."""
    match value:
        case str():
            return parse(value).value(scope)
        case dict():
            return {evaluate(key, scope): evaluate(item, scope) for key, item in value.items()}
        case list():
            return [evaluate(item, scope) for item in value]
    return value


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if not match:
            raise ValueError(f"not understood at {at}: {text}")
        tokens.append(match.group().strip() if match.group("text") is None else match.group("text"))
        at = match.end()
    return tokens


def _node(tokens: list[str]) -> Node:
    node = _start(tokens.pop(0), tokens)
    while tokens and tokens[0] in ".[":
        if tokens.pop(0) == ".":
            node = Member(node, Literal(tokens.pop(0)))
        else:
            node = Member(node, _node(tokens))
            tokens.pop(0)
    return node


def _start(token: str, tokens: list[str]) -> Node:
    if token.startswith("'"):
        return Literal(token[1:-1].replace("''", "'"))
    if re.fullmatch(r"-?\d+", token):
        return Literal(int(token))
    if not tokens or tokens.pop(0) != "(":
        raise ValueError(f"{token} is no call")
    arguments = []
    while tokens[0] != ")":
        arguments.append(_node(tokens))
        if tokens[0] == ",":
            tokens.pop(0)
    tokens.pop(0)
    return Call(token, tuple(arguments))
