"""`make audit`: licences of what is deployed, and what is known to be vulnerable in it.

Needs pip-audit and pip-licenses, which the make target installs in an environment of their own. Where no advisory
service can be reached it says so, and does not fail.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPOSITORY / "requirements.txt"
# Those that ask for nothing but their notice; MPL is file by file, and we change no file of others.
ALLOWED = ("MIT", "BSD", "Apache", "ISC", "MPL-2.0", "Mozilla Public License", "PSF-2.0")


def main() -> None:
    names = pinned(REQUIREMENTS.read_text())
    licences = _run("piplicenses", "--python", sys.argv[1], "--partial-match", "--allow-only", ";".join(ALLOWED),
                    "--packages", *names)  # fmt: skip
    sys.stdout.write(licences.stdout or licences.stderr)
    audit = _run("pip_audit", "--requirement", str(REQUIREMENTS), "--disable-pip", "--require-hashes",
                 "--format", "json", "--progress-spinner", "off")  # fmt: skip
    lines, vulnerable = findings(audit.stdout)
    sys.stdout.write("\n".join([*lines, ""]))
    sys.exit(bool(licences.returncode or vulnerable))


def pinned(requirements: str) -> list[str]:
    """The packages' names."""
    return re.findall(r"^([A-Za-z0-9_.-]+)==", requirements, re.MULTILINE)


def findings(report: str) -> tuple[list[str], bool]:
    """What pip-audit's JSON says, in lines; and whether anything is vulnerable."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return ["skipped: the advisory service did not answer; known vulnerabilities were not looked up"], False
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if packages and len(unknown) == len(packages):
        return [
            "skipped: the advisory service knows no package at all; known vulnerabilities were not looked up"
        ], False
    found = [
        f"{package['name']} {package['version']}: {advisory['id']}, mended in {', '.join(advisory['fix_versions'])}"
        for package in packages
        for advisory in package.get("vulns", [])
    ]
    return [*found, f"{len(packages) - len(unknown)} packages looked up, {len(found)} advisories"], bool(found)


def _run(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
