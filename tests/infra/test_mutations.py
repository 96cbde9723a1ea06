"""The checks can fail: each single mistake of mutations.py is refused by the one that is there for it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.infra import compiler
from tests.infra.arm import deploy
from tests.infra.combinations import INFRA
from tests.infra.complaints import complaints
from tests.infra.mutations import MUTATIONS, Mutation
from tests.infra.policies import POLICIES


@pytest.fixture(scope="module")
def compiled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Mutation, Future[compiler.Output]]]:
    """What the compiler says to each selected mutation: one run each, several at a time."""
    tests = [test for test in request.session.items if isinstance(test, pytest.Function)]
    given = [test.callspec.params["mutation"] for test in tests if "compiled" in test.fixturenames]
    selected = [mutation for mutation in given if isinstance(mutation, Mutation)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {m: pool.submit(_compile, m, tmp_path_factory.mktemp("mutation")) for m in selected}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_mistake_is_refused(mutation: Mutation, compiled: Mapping[Mutation, Future[compiler.Output]]) -> None:
    output = compiled[mutation].result()
    if mutation.policy is None:
        assert not output.silent
    else:
        assert output.returncode == 0, output.errors
        assert complaints(mutation.policy, deploy(output.document, mutation.combination.parameters))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_mistake_changes_one_place(mutation: Mutation) -> None:
    assert (INFRA / mutation.file).read_text().count(mutation.old) == 1


def test_every_policy_refuses_some_mistake() -> None:
    assert {mutation.policy for mutation in MUTATIONS if mutation.policy} == set(POLICIES)


def _compile(mutation: Mutation, folder: Path) -> compiler.Output:
    infra = shutil.copytree(INFRA, folder / "infra")
    file = infra / mutation.file
    file.write_text(file.read_text().replace(mutation.old, mutation.new))
    return compiler.build(infra / "main.bicep")
