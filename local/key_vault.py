"""The secrets of a Key Vault over https, for the unmodified SDK (Key Vault REST API, "Secrets"; 401 challenges as in
"Authentication, requests and responses").
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from local import access_token
from local.faults import Faults
from local.http import CALLS_PATH, Calls, Request, Response, Server, json_response
from local.tls import ensure
from local.vault import Properties, SecretVersion, Vault, VaultError

PAGE_SIZE = 25  # also the vault's largest
PATH = re.compile(r"/secrets(?:/(?P<name>[0-9A-Za-z-]{1,127})(?:/(?P<version>versions|[0-9a-f]{32})?)?)?/?")


@dataclass
class KeyVault:
    """Answers for `vault`; `port` is part of its URL and of the audience that its tokens must have."""

    vault: Vault
    port: int = 0
    clock: Callable[[], float] = time.time
    calls: Calls = field(default_factory=Calls)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def audience(self) -> str:
        """Clients insist that the vault's host ends with "." and this one: so does 127.0.0.1 with 0.0.1."""
        return f"https://0.0.1:{self.port}"

    def answer(self, request: Request) -> Response:
        if request.path == CALLS_PATH:
            return self.calls.response()
        try:
            self._authenticate(request)
            return self._route(request)
        except VaultError as error:
            return self._error(error)

    def _authenticate(self, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise VaultError(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
        try:
            access_token.check(token, audience=self.audience, now=self.clock())
        except access_token.InvalidTokenError as error:
            raise VaultError(401, "Unauthorized", str(error)) from error

    def _error(self, error: VaultError) -> Response:
        if error.status == 401:
            self.calls.count("unauthorized")
        content: dict[str, Any] = {"code": error.code, "message": str(error)}
        if error.inner_code:
            content["innererror"] = {"code": error.inner_code}
        authority = f"https://login.microsoftonline.com/{access_token.TENANT_ID}"
        challenge = {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="{self.audience}"'}
        return json_response(error.status, {"error": content}, challenge if error.status == 401 else None)

    def _route(self, request: Request) -> Response:
        if not request.query.get("api-version"):
            raise VaultError(400, "BadParameter", "The api-version query parameter is missing.")
        if not (path := PATH.fullmatch(request.path)):
            raise VaultError(404, "NotFound", f"There is nothing at {request.path}.")
        name, version = path["name"], path["version"]
        match request.method, name, version:
            case "GET", None, None:
                return self._list(request)
            case "GET", str(), "versions":
                return self._list_versions(request, name)
            case "GET", str(), _:
                return self._get(name, version)
            case "PUT", str(), None:
                return self._set(name, _json(request))
            case "PATCH", str(), _ if version != "versions":
                return self._update(name, version, _json(request))
        raise VaultError(405, "MethodNotAllowed", f"{request.method} is not possible here.")

    def _get(self, name: str, version: str | None) -> Response:
        self.calls.count("get")
        return json_response(200, self._bundle(name, self.vault.get(name, version)))

    def _set(self, name: str, content: Mapping[str, Any]) -> Response:
        self.calls.count("set")
        if not isinstance(content.get("value"), str):
            raise VaultError(400, "BadParameter", "Property value is missing.")
        return json_response(200, self._bundle(name, self.vault.set(name, content["value"], _properties(content))))

    def _update(self, name: str, version: str | None, content: Mapping[str, Any]) -> Response:
        self.calls.count("update")
        secret = self.vault.update(name, version, _properties(content))
        return json_response(200, self._item(name, secret, version=secret.version))

    def _list(self, request: Request) -> Response:
        self.calls.count("list")
        return self._page(request, [(name, self._item(name, secret)) for name, secret in self.vault.list_latest()])

    def _list_versions(self, request: Request, name: str) -> Response:
        self.calls.count("list_versions")
        versions = self.vault.list_versions(name)
        return self._page(request, [(each.version, self._item(name, each, version=each.version)) for each in versions])

    def _page(self, request: Request, items: Sequence[tuple[str, Mapping[str, Any]]]) -> Response:
        """The items after the one that `$skiptoken` names; `items` are sorted by the keys that they come with."""
        size = min(int(request.query.get("maxresults", PAGE_SIZE)), PAGE_SIZE)
        rest = [item for item in items if item[0] > request.query.get("$skiptoken", "")]
        page, more = rest[:size], len(rest) > size
        query = {**request.query, "$skiptoken": page[-1][0]} if more else {}
        next_link = f"{self.url}{request.path}?{urlencode(query)}" if more else None
        return json_response(200, {"value": [item for _, item in page], "nextLink": next_link})

    def _bundle(self, name: str, secret: SecretVersion) -> Mapping[str, Any]:
        return {"value": secret.value, **self._item(name, secret, version=secret.version)}

    def _item(self, name: str, secret: SecretVersion, *, version: str | None = None) -> Mapping[str, Any]:
        """A secret without its value, as lists show it; a list of secrets names no versions."""
        times = {"created": secret.created, "updated": secret.updated, "nbf": secret.not_before, "exp": secret.expires}
        attributes = {
            "enabled": secret.enabled,
            **{name: moment for name, moment in times.items() if moment is not None},
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        }
        item = {
            "id": "/".join([self.url, "secrets", name, *([version] if version else [])]),
            "attributes": attributes,
            "tags": secret.tags,
        }
        return item if secret.content_type is None else {**item, "contentType": secret.content_type}


def _json(request: Request) -> Mapping[str, Any]:
    try:
        content = json.loads(request.body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise VaultError(400, "BadParameter", "The request's body is not a JSON object.")
    return content


def _properties(content: Mapping[str, Any]) -> Properties:
    attributes = content.get("attributes") or {}
    return Properties(
        enabled=attributes.get("enabled"),
        not_before=attributes.get("nbf"),
        expires=attributes.get("exp"),
        content_type=content.get("contentType"),
        tags=content.get("tags"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.key_vault", description="The secrets of a Key Vault.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--tls", type=Path, required=True, metavar="FOLDER", help="the certificates; made if missing")
    parser.add_argument("--state", type=Path, metavar="FOLDER", help="where secrets outlive a restart")
    arguments = parser.parse_args()
    state = arguments.state / "key_vault.json" if arguments.state else None
    key_vault = KeyVault(Vault(state=state))
    server = Server(Faults(key_vault.answer), port=arguments.port, tls=ensure(arguments.tls))
    key_vault.port = server.port
    server.run(url=key_vault.url, control_url=key_vault.url)


if __name__ == "__main__":
    main()
