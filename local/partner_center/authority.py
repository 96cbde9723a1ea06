"""The two endpoints of a sign-in over HTTP, and the document that MSAL reads first (OpenID Connect Discovery 1.0)."""

import re
from urllib.parse import parse_qsl

from local.http import Request, Response, json_response, reset
from local.partner_center.aadsts import TokenError
from local.partner_center.gateway import outage_reply
from local.partner_center.switches import Outage
from local.partner_center.tokens import Authority

_DISCOVERY = re.compile(r"/(?P<tenant>[^/]+)/v2\.0/\.well-known/openid-configuration", re.IGNORECASE)
_AUTHORIZE = re.compile(r"/(?P<tenant>[^/]+)/oauth2/v2\.0/authorize", re.IGNORECASE)
_TOKEN = re.compile(r"/(?P<tenant>[^/]+)/oauth2/v2\.0/token", re.IGNORECASE)
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class AuthorityApi:
    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def answer(self, request: Request) -> Response | None:
        form = dict(parse_qsl(request.body.decode("ascii", "replace"), keep_blank_values=True))
        if outage := self._authority.board.switches.token_outage:
            return self._outage(outage, form.get("grant_type", "discovery"), request)
        base = f"https://{request.headers['Host']}"
        if request.method == "GET" and (found := _DISCOVERY.fullmatch(request.path)):
            return json_response(200, _discovery(f"{base}/{found['tenant']}"))
        if request.method == "GET" and (found := _AUTHORIZE.fullmatch(request.path)):
            return self._authorize(found["tenant"], request)
        if request.method == "POST" and (found := _TOKEN.fullmatch(request.path)):
            reply = self._authority.exchange(found["tenant"], form, endpoint=base + request.path)
            return json_response(reply.http, reply.document, _NO_STORE)
        return json_response(404, {"error": "not_found"})

    def _authorize(self, tenant: str, request: Request) -> Response:
        try:
            answer = self._authority.authorize(tenant, request.query)
        except TokenError as error:
            return Response(400, f"<!DOCTYPE html><title>Sign in</title><p>{error}</p>".encode(), _HTML)
        if answer.by_form:
            return Response(200, answer.page.encode(), {**_HTML, **_NO_STORE})
        return Response(302, headers={"Location": answer.address, **_NO_STORE})

    def _outage(self, outage: Outage, grant: str, request: Request) -> Response | None:
        now_s = self._authority.clock()
        self._authority.ledger.token(now_s, grant=grant, outcome=f"outage: {outage}")
        if outage == "reset":
            reset(request.connection)
            return None
        if outage == "unavailable":
            trouble = TokenError(90033)
            return json_response(trouble.http, trouble.document(now_s))
        page = outage_reply(outage)
        return Response(page.http, page.body, page.headers)


def _discovery(tenant_url: str) -> dict[str, object]:
    return {
        "issuer": f"{tenant_url}/v2.0",
        "authorization_endpoint": f"{tenant_url}/oauth2/v2.0/authorize",
        "token_endpoint": f"{tenant_url}/oauth2/v2.0/token",
        "jwks_uri": f"{tenant_url}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
    }
