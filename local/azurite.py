"""Runs Azurite's Table Storage, the real emulator, over https and with Entra tokens: a part written in Node."""

import argparse
import contextlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient

from local.component import REPOSITORY, announce, call_when_told_to_stop
from local.tls import Tls, ensure

AZURITE = REPOSITORY / "local" / "node_modules" / ".bin" / "azurite-table"
ACCOUNT = "devstoreaccount1"
START_S = 25
STOP_S = 10
# Makes the end of its standard input a SIGINT, the one signal at which Azurite stores what it has not stored yet: so no
# write is lost, and no Node is left, however this process ends. While it starts nobody listens, and nothing is stored.
STOP_AT_END_OF_INPUT = (
    "data:text/javascript,"
    "process.stdin.on('end', () => { if (!process.emit('SIGINT')) process.exit() }).resume().unref()"
)


def create_missing_tables(url: str, names: Iterable[str], credential: TokenCredential) -> None:
    """As the deployment does in the cloud: the app itself never creates tables.

    The environment must name the local identity and certificates.
    """
    with TableServiceClient(url, credential=credential) as service:
        for name in names:
            with contextlib.suppress(ResourceExistsError):
                service.create_table(name)


def _command(port: int, tls: Tls, folder: Path | None) -> Sequence[str]:
    """Node's command line; `folder` None keeps everything in memory."""
    node = shutil.which("node")
    if not node or not AZURITE.exists():
        sys.exit("Azurite is not installed here: run `make setup` (it needs Node 20 or later on the PATH).")
    options = ["--tableHost", "127.0.0.1", "--tablePort", str(port), "--silent", "--disableTelemetry"]
    # Seconds; Node's own 5 would cut connections that clients have just begun to use again.
    options += ["--tableKeepAliveTimeout", "120"]
    access = ["--oauth", "basic", "--cert", str(tls.certificate), "--key", str(tls.key)]
    storage = ["--location", str(folder)] if folder else ["--inMemoryPersistence"]
    return [node, "--import", STOP_AT_END_OF_INPUT, str(AZURITE), *options, *access, *storage]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers_in_time(node: "subprocess.Popen[bytes]", url: str, tls: Tls) -> bool:
    context = ssl.create_default_context(cafile=tls.ca)
    deadline = time.monotonic() + START_S
    while node.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5, context=context).close()  # noqa: S310  # the URL is our own
        except urllib.error.HTTPError as answer:  # it knows nobody without a token, but it is there
            answer.close()
            return True
        except OSError:
            time.sleep(0.03)
    return False


def _stop(node: "subprocess.Popen[bytes]", told: threading.Event) -> None:
    told.set()
    assert node.stdin
    node.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        node.wait(STOP_S)
    node.kill()


def _run(port: int, tls: Tls, state: Path | None) -> int:
    """Runs it until told to stop, or until it ends by itself, and returns the exit code."""
    told = threading.Event()
    with tempfile.TemporaryDirectory() as scratch:
        node = subprocess.Popen(
            _command(port, tls, state),
            cwd=state or scratch,  # whatever files Node leaves of its own accord
            stdin=subprocess.PIPE,
            stdout=sys.stderr,  # standard output is for the ready line
            start_new_session=True,  # Ctrl-C in a terminal stops it through us, once
        )
        call_when_told_to_stop(lambda: _stop(node, told))
        url = f"https://127.0.0.1:{port}/{ACCOUNT}"
        if _answers_in_time(node, url, tls):
            announce(port=port, url=url, node_pid=node.pid)
        else:
            node.kill()
        code = node.wait()
    if told.is_set():
        return code
    print(f"Azurite ended by itself, or did not answer at {url}; exit code {code}", file=sys.stderr)
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.azurite", description="Table Storage: Azurite over https.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--tls", type=Path, required=True, metavar="FOLDER", help="the certificates; made if missing")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--state", type=Path, metavar="FOLDER", help="where tables outlive a restart")
    where.add_argument("--in-memory", action="store_true", help="keep the tables in memory")
    arguments = parser.parse_args()
    if arguments.state:
        arguments.state.mkdir(parents=True, exist_ok=True)
    state = arguments.state.resolve() if arguments.state else None
    sys.exit(_run(arguments.port or _free_port(), ensure(arguments.tls), state))


if __name__ == "__main__":
    main()
