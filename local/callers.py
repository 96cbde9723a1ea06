"""Which process of a function made a request, and how it is killed: its User-Agent says it (azure-core's
AZURE_HTTP_USER_AGENT, which the functions host sets).
"""

import contextlib
import os
import re
import subprocess
from pathlib import Path

from local.http import Request

_PID = re.compile(r"(?<!\S)pid/(\d{1,9})(?!\S)")
_PROC = Path("/proc")
# Whoever shows another process's id in its User-Agent kills nothing but a functions host.
_MAY_BE_KILLED = "local.functions_host"


def pid_of(request: Request) -> int | None:
    """None: the caller is none that the functions host has started, so a person or a test."""
    found = _PID.search(request.headers.get("User-Agent", ""))
    return int(found[1]) if found else None


def may_be_killed(pid: int | None) -> bool:
    """Whether it is a functions host that is alive."""
    return pid is not None and _MAY_BE_KILLED in _command_line(pid)


def kill(pid: int | None, sig: int) -> None:
    """Sends the signal, if it is still a functions host's."""
    if pid is not None and may_be_killed(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)


def _command_line(pid: int) -> str:
    """Empty: there is no such process, or it has ended and waits to be collected."""
    if not (_PROC / "self").exists():  # not on every operating system
        listing = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
