"""A person who signs in, in a browser without a screen, and what there is afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.upgradectl.scripted_browser import Form, main, visit
from tests.upgradectl.system import System
from upgradectl.browser import PastedAnswer
from upgradectl.connections import Connections
from upgradectl.consent import Consented, consent


@dataclass
class Screenless:
    """A `consent.Browser` whose person does what the names and values say."""

    person: tuple[str, ...] = ()
    redirect_uri: str = "http://localhost:4711"
    response_mode: str = "form_post"
    urls: list[str] = field(default_factory=list)

    def __call__(self, url: str, state: str) -> Mapping[str, str]:
        self.urls.append(url)
        return Form(visit(url, *self.person).text).fields


def consent_to(connections: Connections, *person: str, new_secret: str | None = None) -> Consented:
    with connections:
        return consent(connections, Screenless(person), new_secret=new_secret)


def has_refresh_token(system: System) -> bool:
    return any(found.name == system.refresh_token_name for found in system.secrets.list_properties_of_secrets())


def pasting(paste: Callable[[str], str], shown: list[str]) -> PastedAnswer:
    """A person who carries what `paste` makes of the address that was `shown`."""
    return PastedAnswer(read_line=lambda _: paste(shown[-1].split("\n\n")[1]), note=shown.append)


def opening_a_browser(monkeypatch: pytest.MonkeyPatch, *person: str) -> None:
    """What a command in this process opens."""
    monkeypatch.setattr("webbrowser.get", lambda: None)
    monkeypatch.setattr("webbrowser.open", lambda url: main(url, *person))
