"""Partner Center's calls with a token of their own; `credential` is the function's identity."""

import os
import uuid
from typing import Any

import requests
from azure.core.credentials import TokenCredential
from azure.keyvault.secrets import SecretClient

TIMEOUT_S = 30


def get_token(credential: TokenCredential) -> str:
    """An access token for the refresh token that the vault holds."""
    with SecretClient(os.environ["KEY_VAULT_URL"], credential) as vault:
        client_secret = vault.get_secret("partner-center-client-secret").value
        refresh_token = vault.get_secret("partner-center-refresh-token").value
    response = requests.post(
        f"{os.environ['AUTHORITY_URL']}/{os.environ['PARTNER_TENANT_ID']}/oauth2/v2.0/token",
        data={
            "grant_type": "refresh_token",
            "client_id": os.environ["PARTNER_CLIENT_ID"],
            "client_secret": client_secret,
            "refresh_token": refresh_token,
            "scope": "https://api.partnercenter.microsoft.com/user_impersonation offline_access",
        },
        timeout=TIMEOUT_S,
    )
    response.raise_for_status()
    return str(response.json()["access_token"])


def post(path: str, token: str, body: dict[str, Any]) -> requests.Response:
    """Raises: requests.RequestException, also for an answer that is an error."""
    response = requests.post(
        os.environ["PARTNER_CENTER_URL"] + path,
        json=body,
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "MS-RequestId": str(uuid.uuid4()),
            "MS-CorrelationId": str(uuid.uuid4()),
        },
        timeout=TIMEOUT_S,
    )
    response.raise_for_status()
    return response
