"""`make audit` tells an advisory from a service that is not there."""

import json
from typing import Any

from local.component import REPOSITORY
from scripts.audit import findings, pinned

LOCK = (REPOSITORY / "requirements.txt").read_text()
WANTED = (REPOSITORY / "requirements.in").read_text()


def _report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_an_advisory_is_named_with_its_remedy() -> None:
    sick = {"name": "requests", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.0", "1.5"]}]}
    lines, vulnerable = findings(_report(sick, {"name": "msal", "version": "1.0", "vulns": []}))
    assert lines == ["requests 1.0: PYSEC-1, mended in 2.0, 1.5", "2 packages looked up, 1 advisories"]
    assert vulnerable


def test_a_service_that_knows_nothing_is_said_and_is_no_fault() -> None:
    lines, vulnerable = findings(_report({"name": "requests", "version": "1.0", "skip_reason": "not found"}))
    assert lines[0].startswith("skipped:")
    assert not vulnerable
    assert findings("")[0][0].startswith("skipped:")


def test_every_package_that_is_wanted_is_locked_at_its_version_and_everything_by_a_hash() -> None:
    wanted = [line for line in WANTED.splitlines() if line and not line.startswith("#")]
    assert wanted
    assert all(f"\n{line} \\\n    --hash=sha256:" in LOCK for line in wanted)
    assert LOCK.count(" \\\n    --hash") >= len(pinned(LOCK)) >= len(wanted)
    assert all("--hash" in entry for entry in LOCK.split("==")[1:])
