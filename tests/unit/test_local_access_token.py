import pytest

from local.access_token import InvalidTokenError, check, issue

NOW = 1_700_000_000
AUDIENCE = "https://0.0.1:1234"


def test_a_token_is_good_from_the_moment_it_is_issued_until_it_expires() -> None:
    token = issue(AUDIENCE, now=NOW, lifetime_s=60)
    check(token, audience=AUDIENCE, now=NOW)
    check(token, audience=AUDIENCE, now=NOW + 59.9)


@pytest.mark.parametrize("now", [NOW - 0.1, NOW + 60])
def test_a_token_is_refused_before_and_after_its_time(now: float) -> None:
    with pytest.raises(InvalidTokenError, match="Lifetime"):
        check(issue(AUDIENCE, now=NOW, lifetime_s=60), audience=AUDIENCE, now=now)


def test_a_token_for_somebody_else_is_refused() -> None:
    with pytest.raises(InvalidTokenError, match="audience"):
        check(issue("https://storage.azure.com", now=NOW, lifetime_s=60), audience=AUDIENCE, now=NOW)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.é.c", "e30.W10.", "e30.bnVsbA."])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidTokenError, match="not a JSON Web Token"):
        check(text, audience=AUDIENCE, now=NOW)


def test_a_token_of_another_issuer_is_refused() -> None:
    with pytest.raises(InvalidTokenError, match="Issuer"):
        check("e30.eyJpc3MiOiJodHRwczovL2V4YW1wbGUub3JnIn0.", audience=AUDIENCE, now=NOW)
