"""What a person does first."""

import json
import subprocess
import sys

import pytest

from local.component import REPOSITORY
from shared.models import Status


@pytest.mark.timeout(150)
def test_the_demo_ends_every_example_as_the_truth() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "local.demo"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert demo.returncode == 0, demo.stdout[-4000:] + demo.stderr[-2000:]
    assert "every result is the true one" in demo.stdout
    for status in Status:
        assert f" {status} " in demo.stdout, f"no example ends as {status}"


def test_the_demo_says_in_one_line_that_a_file_is_missing() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "local.demo", "no-such-file.csv"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert demo.returncode != 0
    assert demo.stderr.splitlines() == ["no-such-file.csv is not a file: name a .jsonl or .csv file of requests"]


def test_the_examples_are_at_least_forty_requests() -> None:
    lines = (REPOSITORY / "examples" / "requests.jsonl").read_text().splitlines()
    scenarios = json.loads((REPOSITORY / "examples" / "scenarios.json").read_text())["scenarios"]
    assert len(lines) >= 40
    assert all(any(customer in line for line in lines) for customer in scenarios)
