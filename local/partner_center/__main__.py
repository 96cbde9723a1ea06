"""Starts the fake Partner Center: the API on plain HTTP, the token endpoint on TLS."""

import argparse
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local import tls
from local.http import Server
from local.partner_center.api import Api
from local.partner_center.authority import AuthorityApi
from local.partner_center.scenarios import NAMED
from local.partner_center.world import open_world


class _ListScenarios(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        for name, scenario in NAMED.items():
            print(f"{name:30}{scenario.about}")
        parser.exit()


def _arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.partner_center", description=__doc__)
    parser.add_argument("--api-port", type=int, default=0)
    parser.add_argument("--authority-port", type=int, default=0)
    parser.add_argument("--tls", type=Path, required=True, metavar="FOLDER", help="certificates, made where missing")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keeps everything there, across restarts and kills")
    parser.add_argument("--tenant", required=True, metavar="GUID")
    parser.add_argument("--client-id", required=True, metavar="GUID", help="the app registration")
    parser.add_argument("--client-secret", metavar="VALUE", help="default: one is made")
    parser.add_argument("--list-scenarios", nargs=0, action=_ListScenarios, help="prints the named scenarios")
    return parser.parse_args(arguments)


def main() -> None:
    options = _arguments()
    world = open_world(
        tenant=options.tenant,
        client_id=options.client_id,
        clock=time.time,
        client_secret=options.client_secret,
        state=options.state,
    )
    api = Server(Api(world).answer, port=options.api_port)
    authority = Server(AuthorityApi(world.authority).answer, port=options.authority_port, tls=tls.ensure(options.tls))
    threading.Thread(target=authority.serve_forever, args=(0.05,), name="authority", daemon=True).start()
    api.run(api_url=api.url, authority_url=authority.url, client_secret=world.client.secret)
    authority.shutdown()


if __name__ == "__main__":
    main()
