"""The errors of the token endpoint ("Microsoft Entra authentication and authorization error codes", RFC 6749, 5.2)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

# AADSTS number: OAuth error and text.
ERRORS: Mapping[int, tuple[str, str]] = {
    50011: ("invalid_request", "The redirect URI specified in the request is not one of the application's."),
    50033: ("temporarily_unavailable", "A transient error has occurred. Please try again."),
    50057: ("invalid_grant", "The user account is disabled."),
    50074: ("interaction_required", "Strong authentication is required."),
    50076: ("interaction_required", "You must use multi-factor authentication to access the resource."),
    50078: ("interaction_required", "The presented multi-factor authentication has expired."),
    50079: ("interaction_required", "You must enroll in multi-factor authentication."),
    50105: ("invalid_grant", "The signed in user is not assigned to a role for the application."),
    50147: ("invalid_request", "Missing or invalid code challenge."),
    50158: ("interaction_required", "External security challenge was not satisfied."),
    50173: ("invalid_grant", "The provided grant has expired due to it being revoked."),
    50196: ("invalid_grant", "The server terminated an operation because it encountered a client request loop."),
    53000: ("invalid_grant", "Device is not in required device state."),
    53003: ("invalid_grant", "Access has been blocked by Conditional Access policies."),
    54005: ("invalid_grant", "OAuth2 Authorization code was already redeemed."),
    65001: ("invalid_grant", "The user or administrator has not consented to use the application."),
    65004: ("access_denied", "User declined to consent to access the app."),
    70000: ("invalid_grant", "The provided value for the input parameter 'refresh_token' is not valid."),
    70003: ("unsupported_grant_type", "The app requested an unsupported grant type."),
    70005: ("unsupported_response_type", "The app requested an unsupported response type."),
    70007: ("invalid_request", "The value of response_mode is not supported."),
    70008: ("invalid_grant", "The provided authorization code or refresh token has expired."),
    70011: ("invalid_scope", "The provided value for the input parameter 'scope' is not valid."),
    70043: ("invalid_grant", "The refresh token has expired due to sign-in frequency checks."),
    90002: ("invalid_request", "Tenant not found."),
    90006: ("temporarily_unavailable", "External server retryable error."),
    90012: ("temporarily_unavailable", "Request has timed out."),
    90024: ("temporarily_unavailable", "A transient error occurred. Please retry."),
    90033: ("temporarily_unavailable", "A transient error has occurred. Please try again."),
    90055: ("temporarily_unavailable", "There are too many requests."),
    500112: (
        "invalid_client",
        "The reply address does not match the one provided when requesting the authorization code.",
    ),
    501481: ("invalid_grant", "The code_verifier does not match the code_challenge of the authorization request."),
    530035: ("invalid_grant", "Access has been blocked by security defaults."),
    700016: ("unauthorized_client", "The application was not found in the directory."),
    700021: ("invalid_client", "The client assertion's issuer or subject is not the application."),
    700023: ("invalid_client", "The client assertion's audience is not this endpoint."),
    700024: ("invalid_client", "The client assertion is not within its valid time range."),
    700027: ("invalid_client", "The client assertion failed signature validation."),
    700082: ("invalid_grant", "The refresh token has expired due to inactivity."),
    7000215: ("invalid_client", "Invalid client secret provided."),
    7000216: ("invalid_client", "'client_assertion', 'client_secret' or 'request' is required."),
    7000222: ("invalid_client", "The provided client secret keys are expired."),
}

_STATUS = {"invalid_client": 401, "temporarily_unavailable": 503}


class TokenError(Exception):
    """A grant that is refused, by its AADSTS number."""

    def __init__(self, aadsts: int) -> None:
        self.aadsts = aadsts
        self.error, self.text = ERRORS[aadsts]
        super().__init__(f"AADSTS{aadsts}: {self.text}")

    @property
    def http(self) -> int:
        return _STATUS.get(self.error, 400)

    def document(self, now_s: float) -> dict[str, Any]:
        trace_id, correlation_id = str(uuid4()), str(uuid4())
        timestamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        ids = f"Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
        return {
            "error": self.error,
            "error_description": f"{self} {ids}",
            "error_codes": [self.aadsts],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
        }
