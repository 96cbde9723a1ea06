"""`make up`: the local cloud with the functions, until Ctrl-C. What it holds is still there at the next start."""

import argparse
import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from local.cloud import QUEUE, Cloud, running
from local.component import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.up", description=__doc__)
    parser.add_argument(
        "--base-port", type=int, default=0, metavar="N", help="listen on N and the ports after it; default: free ones"
    )
    cloud = Cloud(REPOSITORY / ".local" / "up", base_port=parser.parse_args().base_port)
    told = threading.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: told.set())
    console = Console(highlight=False, soft_wrap=True)
    with running(cloud), _left_in(cloud.folder, _operators_environment(cloud)):
        cloud.start_functions()
        _show(console, cloud)
        while not told.wait(1):
            if restarted := cloud.restart_dead_functions():
                console.print(f"restarted {restarted} functions that had ended; see their logs")
        console.print("stopping: running invocations end first ...")


def _operators_environment(cloud: Cloud) -> Mapping[str, str]:
    """The app's, but with the broker as the cloud names it: a namespace, and no key."""
    namespace = f"localhost:{cloud.parts['service_bus'].facts['port']}"
    settings = {name: value for name, value in cloud.app_settings.items() if name != "ServiceBus"}
    return {**settings, "SERVICE_BUS_NAMESPACE": namespace}


@contextmanager
def _left_in(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Where `upgradectl --local` looks for it while the cloud runs; it opens the cloud to its reader."""
    file = folder / "environment.json"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(environment, indent=2))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _show(console: Console, cloud: Cloud) -> None:
    facts = {
        "Service Bus": cloud.service_bus,
        "queue": QUEUE,
        "Table Storage": cloud.tables_url,
        "Key Vault": cloud.app_settings["KEY_VAULT_URL"],
        "Partner Center (fake)": cloud.partner_center_url,
        "its control API": f"{cloud.partner_center_url}/_fake/",
        "token endpoint (fake)": cloud.app_settings["AUTHORITY_URL"],
        "logs": f"{cloud.folder.relative_to(REPOSITORY)}/logs",
    }
    for name, value in facts.items():
        console.print(f"[bold]{name:22}[/] {value}")
    console.print("\nFor the Azure SDKs and DefaultAzureCredential:")
    for name, value in cloud.client_environment.items():
        console.print(f"  export {name}='{value}'")
    console.print("\nRunning; Ctrl-C stops it.")


if __name__ == "__main__":
    main()
