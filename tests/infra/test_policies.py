"""The templates keep every policy, with each combination of parameters."""

import functools
import json

import pytest

from tests.infra import compiler
from tests.infra.arm import Deployment, deploy
from tests.infra.combinations import COMBINATIONS, INFRA, Combination, parameters_file
from tests.infra.complaints import Policy, complaints
from tests.infra.policies import POLICIES


@functools.cache
def deployment(combination: Combination) -> Deployment:
    given = json.loads(parameters_file(combination).document["parametersJson"])["parameters"]
    return deploy(main().document, {name: body["value"] for name, body in given.items()})


@functools.cache
def main() -> compiler.Output:
    return compiler.build(INFRA / "main.bicep")


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_the_combination_compiles_and_deploys_something(combination: Combination) -> None:
    compiled = parameters_file(combination)
    assert compiled.silent, compiled.errors
    assert main().silent, main().errors
    assert json.loads(compiled.document["templateJson"])["resources"].keys() == main().document["resources"].keys()
    assert len(deployment(combination).resources) > 20


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_every_combination_keeps_the_policy(policy: Policy) -> None:
    broken = {str(c): found for c in COMBINATIONS if (found := complaints(policy, deployment(c)))}
    assert not broken
