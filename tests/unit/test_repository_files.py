"""The files around the code that nothing runs here: what is packed, azure.yaml, the workflows."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest

from local.component import REPOSITORY
from scripts import package, smoke

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").iterdir())
CI, DEPLOY = ((REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text() for name in ("ci", "deploy"))
BICEP = (REPOSITORY / "infra" / "main.bicep").read_text()
FUNCIGNORE = [line for line in (REPOSITORY / ".funcignore").read_text().splitlines() if not line.startswith("#")]
SITE_PACKAGES = [
    f"{package.SITE_PACKAGES.as_posix()}/{name}"
    for name in (
        "six.py",
        "shared.py",
        "azure/core/__init__.py",
        "certifi/tests/cacert.pem",
        ".hidden",
        "local/x.so",
        "a/__pycache__/x.pyc",
    )
]
NEVER_DEPLOYED = (
    *("local.settings.json", "customers.csv", ".env", "secret.pem", ".azure/dev/.env", ".venv/pyvenv.cfg"),
    *("shared/__pycache__/models.cpython-313.pyc", "shared/.DS_Store", "shared/tests/test_x.py", "docs/shared/x.py"),
    *("CreateUpgrade/__pycache__/x.pyc", "CreateUpgrade/notes.txt", "PollUpgrade/sample.dat", "tests/host.json"),
    *("tests/shared/x.py", "local/requirements.txt"),
)


def _named(pattern: str, text: str) -> set[str]:
    return set(re.findall(pattern, text, re.MULTILINE))


def _everything() -> list[str]:
    """Paths as they may lie in a checkout after `make package`."""
    app = [path.as_posix() for path in package.app_files(REPOSITORY)]
    others = [path for path in REPOSITORY.iterdir() if path.name not in (".git", ".python_packages", *app)]
    top = [f"{path.name}/some/file.py" if path.is_dir() else path.name for path in others]
    return [*app, *top, *SITE_PACKAGES, *NEVER_DEPLOYED]


def _deployed() -> set[str]:
    return {*(path.as_posix() for path in package.app_files(REPOSITORY)), *SITE_PACKAGES}


def _matches(pattern: str, path: str) -> bool:
    """As azd's matcher does (denormal/go-gitignore): only a pattern of several parts minds the slashes of a path."""
    anchored, parts = pattern.startswith("/"), pattern.strip("/").split("/")
    if "**" in parts:
        assert (anchored, parts.index("**")) == (True, len(parts) - 1), "no other form is modelled here"
        names = path.split("/")
        return len(names) >= len(parts) - 1 and all(map(fnmatchcase, names, parts[:-1]))
    if len(parts) > 1:
        assert anchored, "no other form is modelled here"
        return path.count("/") == len(parts) - 1 and all(map(fnmatchcase, path.split("/"), parts))
    return fnmatchcase(path if anchored else PurePosixPath(path).name, parts[0])


def _left_by_azd(patterns: Sequence[str], paths: Sequence[str]) -> set[str]:
    """The last pattern that matches decides; what lies in a folder that is left out is never looked at."""

    def is_ignored(path: str) -> bool:
        decisive = next((pattern for pattern in reversed(patterns) if _matches(pattern.removeprefix("!"), path)), "!")
        return not decisive.startswith("!")

    def with_parents(path: str) -> Iterator[str]:
        yield path
        yield from (str(parent) for parent in PurePosixPath(path).parents if parent.name)

    return {path for path in paths if not any(map(is_ignored, with_parents(path)))}


def test_azd_deploys_what_the_zip_holds() -> None:
    assert _left_by_azd(FUNCIGNORE, _everything()) == _deployed()


def test_git_reads_the_ignore_file_in_the_same_way(tmp_path: Path) -> None:
    for path in _everything():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / ".gitignore").write_text("\n".join(FUNCIGNORE))
    for command in (["init", "--quiet"], ["ls-files", "--others", "--exclude-standard"]):
        listed = subprocess.run(["git", *command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert set(listed.splitlines()) == _deployed()


def test_the_obvious_form_of_the_ignore_file_would_deploy_nothing() -> None:
    assert _left_by_azd(["/*", "!/shared/", "!/host.json"], ["host.json", "shared/models.py"]) == {"host.json"}


def test_every_module_of_the_core_is_packed() -> None:
    core = {path.relative_to(REPOSITORY) for path in (REPOSITORY / "shared").rglob("*.py")}
    assert core <= set(package.app_files(REPOSITORY))


def test_azd_finds_the_app_and_builds_nothing_on_the_platform() -> None:
    azure_yaml = (REPOSITORY / "azure.yaml").read_text()
    tag = _named(r"'azd-service-name': '(\w+)'", (REPOSITORY / "infra" / "modules" / "function-app.bicep").read_text())
    assert _named(r"^  (\w+):\n    project: \.$", azure_yaml) == tag == _named(r"azd deploy (\w+) ", DEPLOY)
    assert "    remoteBuild: false\n" in azure_yaml
    assert _named(r"run: python3? (\S+)$", azure_yaml) == {"scripts/package.py"}
    assert _named(r"--from-package (\S+)", DEPLOY) == {package.ARCHIVE.as_posix()}


def test_what_is_built_is_not_checked_in() -> None:
    assert {".local/", ".python_packages/"} <= set((REPOSITORY / ".gitignore").read_text().splitlines())


def test_one_version_of_python_everywhere() -> None:
    version = (REPOSITORY / ".python-version").read_text().strip()
    assert _named(r"^param pythonVersion string = '(.+)'$", BICEP) == {version}
    assert _named(r'python-version: "(.+)"$', CI + DEPLOY) == {version}
    assert version == package.PYTHON


def test_the_deployment_passes_every_parameter_and_no_empty_one_that_has_to_be_json() -> None:
    parameters = (REPOSITORY / "infra" / "main.bicepparam").read_text()
    read = dict(re.findall(r"readEnvironmentVariable\('(\w+)'(?:, '(.*?)')?\)", parameters))
    for name, default in read.items():
        fallback = f" || '{default}'" if default else ""
        assert f" {name}: ${{{{ vars.{name}{fallback} }}}}\n" in DEPLOY


def test_the_smoke_test_reads_outputs_of_the_deployment() -> None:
    assert set(smoke.NEEDED) == _named(r"\$\(output (\w+)\)", DEPLOY)
    assert set(smoke.NEEDED) <= _named(r"^output (\w+) ", BICEP)


@pytest.mark.parametrize("command", sorted(_named(r"run: make ([\w-]+)$", CI + DEPLOY)))
def test_the_workflows_use_commands_that_there_are(command: str) -> None:
    assert command in _named(r"^([\w-]+):.*## ", (REPOSITORY / "Makefile").read_text())


def test_an_action_is_pinned_by_its_commit_and_to_one_version() -> None:
    text = CI + DEPLOY
    pinned = re.findall(r"uses: (\S+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$", text, re.MULTILINE)
    assert len(pinned) == len(re.findall("uses:", text))
    assert len(set(pinned)) == len({name for name, _, _ in pinned})


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_do_no_more_than_it_needs(workflow: Path) -> None:
    text = workflow.read_text()
    assert "\npermissions: {}\n" in text
    jobs = len(re.findall(r"^    runs-on: ", text, re.MULTILINE))
    assert len(re.findall(r"^    timeout-minutes: ", text, re.MULTILINE)) == jobs
    assert len(re.findall(r"^    permissions:\n      contents: read$", text, re.MULTILINE)) == jobs
    assert text.count("persist-credentials: false") == text.count("uses: actions/checkout@")
    assert "pull_request_target" not in text
    assert "secrets." not in text
    assert ("write" in "".join(_named(r"^      [\w-]+: (write)", text))) == (workflow.name == "deploy.yml")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_no_expression_is_put_into_a_script(workflow: Path) -> None:
    scripts = re.findall(r"run: (?:\|\n((?:          .*\n|\n)+)|(.+)\n)", workflow.read_text())
    assert scripts
    assert not [script for script in scripts if "${{" in "".join(script)]
