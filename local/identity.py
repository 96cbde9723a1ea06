"""The managed identity endpoint of App Service and Functions, for one user-assigned identity.

Follows "How to use managed identities for App Service and Azure Functions", "REST endpoint reference", 2019-08-01.
"""

import argparse
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from local import access_token
from local.faults import Faults
from local.http import CALLS_PATH, Calls, Request, Response, Server, json_response

PATH = "/msi/token"
API_VERSION = "2019-08-01"


@dataclass(frozen=True)
class Identity:
    """Answers token requests that carry the secret `header`."""

    header: str
    lifetime_s: int
    clock: Callable[[], float] = time.time
    calls: Calls = field(default_factory=Calls)

    def answer(self, request: Request) -> Response:
        if request.path == CALLS_PATH:
            return self.calls.response()
        response = self._refusal(request) or self._token(request.query["resource"])
        self.calls.count("token" if response.status == 200 else "refused")
        return response

    def environment(self, url: str) -> Mapping[str, str]:
        """What makes DefaultAzureCredential ask this endpoint and nobody else."""
        return {
            "IDENTITY_ENDPOINT": url + PATH,
            "IDENTITY_HEADER": self.header,
            "AZURE_CLIENT_ID": access_token.CLIENT_ID,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        }

    def _refusal(self, request: Request) -> Response | None:
        if (request.method, request.path) != ("GET", PATH):
            return _error(404, "Not Found")
        if not secrets.compare_digest(request.headers.get("X-IDENTITY-HEADER", "").encode(), self.header.encode()):
            return _error(401, "The X-IDENTITY-HEADER header is missing or wrong.")
        if request.query.get("api-version") != API_VERSION:
            return _error(400, f"The api-version parameter must be {API_VERSION}.")
        if not request.query.get("resource"):
            return _error(400, "The resource parameter is missing.")
        if request.query.get("client_id", "").lower() != access_token.CLIENT_ID:
            # The app's identity is user-assigned: who forgets to name it is refused here as in the cloud.
            return _error(400, "No User Assigned or Delegated Managed Identity found for specified ClientId.")
        return None

    def _token(self, resource: str) -> Response:
        now = int(self.clock())
        content = {
            "access_token": access_token.issue(resource, now=now, lifetime_s=self.lifetime_s),
            "expires_on": str(now + self.lifetime_s),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": access_token.CLIENT_ID,
        }
        return json_response(200, content)


def _error(status: int, message: str) -> Response:
    return json_response(status, {"statusCode": status, "message": message})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.identity", description="The managed identity endpoint.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--header", default=secrets.token_hex(16), help="the secret IDENTITY_HEADER; default: random")
    parser.add_argument("--lifetime-s", type=int, default=3600, help="how long a token is valid")
    arguments = parser.parse_args()
    identity = Identity(arguments.header, arguments.lifetime_s)
    server = Server(Faults(identity.answer), port=arguments.port)
    server.run(environment=identity.environment(server.url), control_url=server.url)


if __name__ == "__main__":
    main()
