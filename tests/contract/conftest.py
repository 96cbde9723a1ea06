"""What the contract tests of the identity, vault and storage parts share."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from azure.identity import DefaultAzureCredential


@pytest.fixture(scope="session")
def credential(cloud_environment: None) -> Iterator[DefaultAzureCredential]:
    """What the app itself uses, unmodified; it finds the local identity by its environment."""
    with closing(DefaultAzureCredential()) as credential:
        yield credential
