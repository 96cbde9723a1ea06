"""What the policies rest on: expressions of ARM templates mean here what they mean to Azure."""

from typing import Any

import pytest

from tests.infra.arm_functions import PURE
from tests.infra.expressions import Scope, calls, evaluate

_SCOPE = Scope({**PURE, "variables": {"people": [{"id": "a"}, {"id": "b"}]}.__getitem__})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("plain text", "plain text"),
        ("[[not an expression]", "[not an expression]"),
        ("['it''s (one) [text]']", "it's (one) [text]"),
        ("[format('{0}-{1}', 'a', 7)]", "a-7"),
        ("[variables('people')[1].id]", "b"),
        ("[createObject('a', createArray(1, 2)).a[0]]", 1),
        ("[if(empty(''), 'yes', variables('no such variable'))]", "yes"),
        ("[map(variables('people'), lambda('one', lambdaVariables('one').id))]", ["a", "b"]),
        ("[union(createArray(1, 2), createArray(2, 3))]", [1, 2, 3]),
        ("[union(createObject('a', 1), createObject('a', 2))]", {"a": 2}),
        ("[items(createObject('b', 1, 'a', 2))]", [{"key": "a", "value": 2}, {"key": "b", "value": 1}]),
    ],
)
def test_an_expression_has_its_value(expression: str, value: Any) -> None:
    assert evaluate(expression, _SCOPE) == value


def test_expressions_are_found_in_keys_and_deep_inside() -> None:
    assert evaluate({"[format('{0}', 'a')]": [{"b": "[concat('c', 'd')]"}]}, _SCOPE) == {"a": [{"b": "cd"}]}


def test_a_loops_index_and_an_outer_lambdas_variable_are_known_inside() -> None:
    expression = "[map(createArray(10), lambda('x', map(createArray(1), lambda('y', lambdaVariables('x')))))]"
    assert evaluate(expression, _SCOPE) == [[10]]
    assert evaluate("[variables('people')[copyIndex()].id]", _SCOPE.inner(copyIndex=1)) == "b"


def test_a_function_that_is_not_known_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"dateTimeAdd\(\)"):
        evaluate("[dateTimeAdd('a', 'b')]", _SCOPE)


def test_the_functions_of_an_expression_are_found_but_not_those_in_its_texts() -> None:
    assert calls("[concat('listKeys()', listSecrets('x').key)]") == {"concat", "listSecrets"}
    assert calls("listKeys()") == set()
