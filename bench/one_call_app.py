"""The least that can be measured: a function that makes one create call and does nothing else."""

import requests

from bench.contenders import APP, Contender
from bench.measured_cloud import MeasuredCloud
from local.cloud import CLIENT_ID, TENANT
from local.component import REPOSITORY

ONE_CALL = Contender("one call", REPOSITORY / "bench" / "one_call", APP.table, APP.ended)
_SCOPE = "https://api.partnercenter.microsoft.com/user_impersonation offline_access"


def give_token(cloud: MeasuredCloud) -> None:
    """Puts an access token into the settings of the functions that are started from now on."""
    cloud.cloud.settings = {**cloud.cloud.settings, "ACCESS_TOKEN": _access_token(cloud)}


def _access_token(cloud: MeasuredCloud) -> str:
    """What the app's sign-in ends with ("Microsoft identity platform: refresh the access token")."""
    settings, facts = cloud.cloud.app_settings, cloud.cloud.parts["partner_center"].facts
    grant = {
        "grant_type": "refresh_token",
        "refresh_token": cloud.cloud.fake("POST", "sign-in", {"mfa": True})["refresh_token"],
        "client_id": CLIENT_ID,
        "client_secret": facts["client_secret"],
        "scope": _SCOPE,
    }
    url = f"{settings['AUTHORITY_URL']}/{TENANT}/oauth2/v2.0/token"
    response = requests.post(url, data=grant, timeout=30, verify=settings["REQUESTS_CA_BUNDLE"])
    response.raise_for_status()
    return str(response.json()["access_token"])
