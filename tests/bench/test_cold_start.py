"""Scenario 7: what is read of the host's log lines and of Python's list of imports, and computed of both."""

from collections import Counter
from collections.abc import Sequence

import pytest

from bench.contenders import APP, TEXTBOOK, Contender
from bench.figures import Figure, Outcome, Row
from bench.import_times import STANDARD_LIBRARY, by_package, import_ms, package_of
from bench.scenarios.cold_start import BARE, IMPORTS, Imports, Start, outcome, starts_in

LISTED = """\
import time: self [us] | cumulative | imported package
import time:      1500 |       1500 |   json.decoder
import time:       500 |       2000 | json
import time:       250 |        250 |     azure.core.pipeline
import time:       750 |       1000 |   azure.data.tables._models
import time:      2000 |       3000 | azure.data.tables
other output
"""


def _outcome(app_ms: Sequence[float], bare_ms: Sequence[float]) -> Outcome:
    starts = {APP: [Start(ms, 1) for ms in app_ms], TEXTBOOK: [Start(1, 1)] * len(app_ms)}
    least = Imports(Counter({"requests": 10, STANDARD_LIBRARY: 90}), Counter({"requests": 30, STANDARD_LIBRARY: 500}))
    own = Imports(Counter({"msal": 20}) + least.from_bytecode, Counter({"msal": 50}) + least.from_source)
    imports = {who: [own if who is APP else least] * len(app_ms) for who in (APP, TEXTBOOK, BARE)}
    return outcome({**starts, BARE: [Start(ms, 1) for ms in bare_ms]}, imports)


def _row(found: Outcome, name: str) -> Row:
    (row,) = [row for row in found.rows if row.measured == name]
    return row


def test_imports_are_summed_by_package_each_without_what_it_imports_of_others() -> None:
    found = by_package(LISTED)
    assert found == {STANDARD_LIBRARY: 2, "azure.core": 0.25, "azure.data.tables": 2.75}


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("json.decoder", STANDARD_LIBRARY),
        ("_ssl", STANDARD_LIBRARY),
        ("requests.adapters", "requests"),
        ("azure", "azure"),
        ("azure.identity._internal", "azure.identity"),
        ("azure.keyvault.secrets._client", "azure.keyvault.secrets"),
    ],
)
def test_a_module_belongs_to_the_package_that_is_installed(module: str, package: str) -> None:
    assert package_of(module) == package


@pytest.mark.parametrize("contender", [APP, TEXTBOOK], ids=lambda contender: contender.name)
def test_what_a_first_invocation_imports_is_measured_in_a_new_interpreter(contender: Contender) -> None:
    assert {"azure.functions", "azure.identity", "azure.keyvault.secrets"} <= set(import_ms(IMPORTS[contender], {}))


def test_the_least_app_imports_no_sdk() -> None:
    found = set(import_ms(IMPORTS[BARE], {}))
    assert {"azure.functions", "requests"} <= found
    assert not {"azure.core", "azure.identity", "msal", "shared"} & found


def test_a_start_ends_with_the_first_invocation_that_succeeded_since() -> None:
    def line(second: int, text: str) -> dict[str, str]:
        return {"TimeGenerated": f"1970-01-01T00:00:{second:02}.500Z", "Message": text}

    succeeded = "Executed 'Functions.CreateUpgrade' (Succeeded, Id=x, Duration=250ms)"
    lines = [
        line(1, succeeded),
        line(10, "upgrade.accepted {}"),
        line(11, succeeded.replace("Succeeded", "Failed")),
        line(12, succeeded),
    ]
    assert list(starts_in(iter(lines), 10.0)) == [Start(2500, 250)]


@pytest.mark.parametrize(("app_ms", "met"), [(2000, True), (2010, False)])
def test_the_goal_of_a_start_is_twice_that_of_the_least_app(app_ms: float, *, met: bool) -> None:
    row = _row(_outcome([app_ms], [1000]), "start, times the limit")
    assert (row.app, row.met) == (Figure((app_ms / 1000,), "x"), met)


def test_each_start_stands_beside_the_least_apps_of_the_same_turn() -> None:
    assert _row(_outcome([1500, 6000], [1000, 4000]), "start, times the limit").app == Figure((1.5, 1.5), "x")


def test_imports_from_source_leave_out_the_standard_library_which_is_not_deployed() -> None:
    found = _outcome([1], [1])
    row = _row(found, "imports: all but the standard library, from source")
    assert (row.limit, row.textbook, row.app) == (Figure((30,), "ms"), Figure((30,), "ms"), Figure((80,), "ms"))
    assert _row(found, "imports: all, from bytecode").app == Figure((120,), "ms")


def test_the_costliest_packages_of_the_app_are_listed_beside_the_others() -> None:
    listed = [row.measured.removeprefix("imports: ") for row in _outcome([1], [1]).rows[-3:]]
    assert listed == [STANDARD_LIBRARY, "msal", "requests"]
    assert _row(_outcome([1], [1]), "imports: msal").limit == Figure((0,), "ms")
