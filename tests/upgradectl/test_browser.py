"""The loopback address at which a sign-in in a browser ends."""

import pytest
import requests

from upgradectl.browser import LoopbackBrowser
from upgradectl.errors import CommandError


def test_nobody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    with (
        LoopbackBrowser(timeout_s=0.05, note=lambda text: None) as loopback,
        pytest.raises(CommandError, match="nobody signed in"),
    ):
        loopback("https://authority.test", "state")


def test_a_port_that_is_in_use_is_told() -> None:
    with LoopbackBrowser(timeout_s=1, note=lambda text: None) as first:
        port = int(first.redirect_uri.rpartition(":")[2])
        with pytest.raises(CommandError, match=f"port {port} cannot be used"):
            LoopbackBrowser(port=port, timeout_s=1, note=lambda text: None)


def test_the_loopback_listens_on_this_machine_alone_and_shows_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[requests.Response] = []

    def sign_in(url: str) -> bool:
        form = {"state": "right", "code": "<secret>"}
        answers.append(requests.post(loopback.redirect_uri, form, timeout=5))
        return True

    monkeypatch.setattr("webbrowser.open", sign_in)
    with LoopbackBrowser(timeout_s=5, note=lambda text: None) as loopback:
        assert loopback("https://authority.test", "right")["code"] == "<secret>"
        assert loopback._server.server_address[0] == "127.0.0.1"
    assert "secret" not in answers[0].text
    assert answers[0].headers["Cache-Control"] == "no-store"
