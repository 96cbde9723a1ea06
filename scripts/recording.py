"""`make recording`: the terminal recording in README, an animated SVG of commands that really run on the local cloud.

usage: python scripts/recording.py TERMTOSVG OUTPUT.svg
"""

import json
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import requests

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / ".local" / "recording"
STATE = REPOSITORY / ".local" / "up" / "environment.json"
COMMANDS = (
    "upgradectl submit wave-1.csv --local",
    "upgradectl watch --local --every 1",
    "upgradectl results --local --output report.html",
    "upgradectl status --local",
    "upgradectl retry --local --dry-run",
)
ODD = {4: "no-relationship", 31: "failed", 52: "partly", 77: "customer-agreement-missing", 90: "failed", 118: "failed"}
CUSTOMERS = 160
# Types each command as a person would, and runs it.
SCRIPT = """
PATH=$1:$PATH
cd "$2"
for command in {commands}; do
  printf '\\033[1;32m$\\033[0m '
  for ((i = 0; i < ${{#command}}; i++)); do printf '%s' "${{command:i:1}}"; sleep 0.03; done
  sleep 0.4; echo
  $command
  sleep 2
done
"""


def main() -> None:
    termtosvg, output = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(STATE.parent, ignore_errors=True)  # the local cloud begins anew
    cloud = subprocess.Popen([sys.executable, "-m", "local.up"], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    try:
        prepare(wait_for_cloud(cloud))
        record(termtosvg, output)
    finally:
        cloud.terminate()
        cloud.wait(60)


def wait_for_cloud(cloud: "subprocess.Popen[bytes]") -> dict[str, str]:
    """Its environment, once it is up."""
    while cloud.poll() is None:
        if STATE.is_file():
            environment: dict[str, str] = json.loads(STATE.read_text())
            return environment
        time.sleep(0.2)
    sys.exit("the local cloud does not start")


def prepare(environment: dict[str, str]) -> None:
    """A file of customers, some of whom cannot be upgraded, and an API that is in no hurry."""
    customers = [str(uuid.uuid4()) for _ in range(CUSTOMERS)]
    (FOLDER / "wave-1.csv").write_text("customerId,productFamily\n" + "".join(f"{one},Azure\n" for one in customers))
    _put(environment, "scenarios", {customers[number]: scenario for number, scenario in ODD.items()})
    _put(environment, "switches", {"api_window": {"calls": 60, "per_s": 3}})


def record(termtosvg: str, output: str) -> None:
    script = FOLDER / "script.sh"
    script.write_text(SCRIPT.format(commands=" ".join(f"'{command}'" for command in COMMANDS)))
    shell = f"bash {script} {Path(sys.executable).parent} {FOLDER}"
    geometry = ("--screen-geometry", "104x30", "--min-frame-duration", "40", "--max-frame-duration", "1500")
    command = [termtosvg, output, "--command", shell, *geometry, "--loop-delay", "6000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as recorder:  # it ends with its input
        if recorder.wait():
            sys.exit("the recording failed")


def _put(environment: dict[str, str], path: str, content: object) -> None:
    url = f"{environment['PARTNER_CENTER_URL']}/_fake/{path}"
    response = requests.put(url, json=content, timeout=10)
    response.raise_for_status()


if __name__ == "__main__":
    main()
