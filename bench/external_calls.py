"""Which calls CreateUpgrade makes for one upgrade, counted where they arrive."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from bench.contenders import Contender
from bench.creating import create, start_warm
from bench.deployed import DEFAULTS
from bench.measured_cloud import MeasuredCloud, measured_cloud

_TABLE_OPERATIONS = {"insert": "POST", "update": "PUT|PATCH|MERGE", "query": "GET", "delete": "DELETE"}


def calls_per_upgrade(folder: Path, contender: Contender, upgrades: int) -> Mapping[str, float]:
    """By kind: `key_vault`, `identity`, `token`, `create`, `other`, `tables`; without those of the process's start."""
    with measured_cloud(folder, contender, DEFAULTS) as cloud:
        _count_table_operations(cloud)
        start_warm(cloud, processes=1)
        before = _calls(cloud)
        create(cloud, upgrades)
        made = _calls(cloud)
    return {kind: (count - before[kind]) / upgrades for kind, count in made.items()}


def _count_table_operations(cloud: MeasuredCloud) -> None:
    """By a proxy before the tables, whose faults do nothing but count."""
    arguments = ("--tls", str(cloud.cloud.folder / "tls"), "--target", cloud.cloud.tables_url)
    cloud.cloud.parts.start({"storage_front": arguments})
    cloud.cloud.front = True
    operations = _TABLE_OPERATIONS.items()
    rules = [{"name": name, "do": "slow", "delay_s": 0, "method": methods} for name, methods in operations]
    cloud.cloud.faults("storage_front", rules)


def _calls(cloud: MeasuredCloud) -> Counter[str]:
    calls = cloud.external_calls()
    calls["tables"] = sum(cloud.cloud.faults_fired("storage_front").values())
    calls.update("create" if call.kind == "create" else "other" for call in cloud.calls())
    return calls
