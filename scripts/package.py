"""Builds what is deployed: `.python_packages` for azd, and one zip that holds the app with it.

Follows "Python app deployment: build options" (Azure Functions documentation): dependencies in
.python_packages/lib/site-packages, host.json at the top. Needs nothing but pip: azd runs this with whatever Python it
finds, on any operating system; the packages are always those of CPython 3.13 on Linux x86-64.
"""

import compileall
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

REPOSITORY = Path(__file__).parent.parent
SITE_PACKAGES = Path(".python_packages", "lib", "site-packages")
ARCHIVE = Path(".local", "package", "app.zip")
APP = (
    *("host.json", "requirements.txt"),
    *("CreateUpgrade/function.json", "CreateUpgrade/__init__.py"),
    *("PollUpgrade/function.json", "PollUpgrade/__init__.py"),
    "shared/*.py",
)
PYTHON = "3.13"
DEPLOYED = "/home/site/wwwroot"
# glibc 2.28 and later; pip does not take the newer tag to include the older ones.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
# Programs, whose first line names the Python of this machine; and the worker library's tests, a module named `tests`.
LEFT_OUT = ("bin", "tests")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell
LINUX = 3  # version made by: 0 would say that the permissions below mean nothing


def install(requirements: Path, target: Path) -> None:
    """Installs the dependencies into an empty `target`. No code of theirs runs: wheels only.

    Raises:
        subprocess.CalledProcessError: pip could not; it has said why.
    """
    shutil.rmtree(target, ignore_errors=True)
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--target", str(target), "--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON),
            *(*platforms, "--requirement", str(requirements)),
        ],
        check=True,
    )
    for name in LEFT_OUT:
        shutil.rmtree(target / name, ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        _forget_what_is_left_out(record)
    if sysconfig.get_python_version() == PYTHON:
        _compile(target)


def _compile(target: Path) -> None:
    """Bytecode beside the sources: they are mounted read-only, so that every cold start would compile them again.

    It is not compared with its source: the files of a package have no time that means anything.
    """
    compileall.compile_dir(
        target,
        quiet=2,  # a template in a package that is no Python is no error of ours
        force=True,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        stripdir=str(target.parents[len(SITE_PACKAGES.parts) - 1]),
        prependdir=DEPLOYED,
    )


def app_files(root: Path) -> Iterator[Path]:
    """The app without its dependencies, relative to `root`. Whatever else happens to lie there is not deployed."""
    for pattern in APP:
        yield from (path.relative_to(root) for path in root.glob(pattern))


def dependency_files(root: Path) -> Iterator[Path]:
    """What `install` has put there, relative to `root`."""
    for path in (root / SITE_PACKAGES).rglob("*"):
        if path.is_file():
            yield path.relative_to(root)


def write(archive: Path, root: Path) -> None:
    """The zip of what is deployed of `root`: the same files give the same bytes, whenever and wherever written."""
    names = sorted(path.as_posix() for path in (*app_files(root), *dependency_files(root)))
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        for name in names:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = LINUX
            entry.external_attr = 0o644 << 16  # without them the host finds no function, and reports no error
            entry.compress_type = zipfile.ZIP_DEFLATED
            content.writestr(entry, (root / name).read_bytes())


def _forget_what_is_left_out(record: Path) -> None:
    kept = [
        line
        for line in record.read_text(encoding="utf-8").splitlines()
        if not line.removeprefix("../../").startswith(tuple(f"{name}/" for name in LEFT_OUT))
    ]
    record.write_text("\n".join(kept) + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    try:
        install(REPOSITORY / "requirements.txt", REPOSITORY / SITE_PACKAGES)
    except subprocess.CalledProcessError as error:
        sys.exit(f"the dependencies could not be installed: pip ended with {error.returncode}")
    write(REPOSITORY / ARCHIVE, REPOSITORY)
    size_mb = (REPOSITORY / ARCHIVE).stat().st_size / 1e6
    sys.stdout.write(f"{ARCHIVE.as_posix()}: {size_mb:.1f} MB\n")


if __name__ == "__main__":
    main()
