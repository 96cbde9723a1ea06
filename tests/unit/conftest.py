"""How property tests run: the same examples every time, no time limit that a busy machine could miss. And a session."""

from collections.abc import Iterator

import pytest
import requests
from hypothesis import settings

from local.tls import Tls
from shared.transport import new_session

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture
def session(tls: Tls) -> Iterator[requests.Session]:
    """Of the app's own kind, with no connection open yet. It trusts the local cloud alone, which is quick to load."""
    with new_session(connections=4, ca_file=str(tls.ca)) as session:
        yield session
