"""The combinations of parameters that the templates promise to work with."""

import functools
import itertools
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra import compiler

INFRA = Path(__file__).parents[2] / "infra"

_PEOPLE = {
    "producers": [{"principalId": "producer", "principalType": "ServicePrincipal"}],
    "operators": [{"principalId": "operators", "principalType": "Group"}],
    # One of them stands on two lists: nobody is granted the same role twice.
    "administrators": [
        {"principalId": "administrator", "principalType": "User"},
        {"principalId": "operators", "principalType": "Group"},
    ],
    "alertEmails": ["one@example.com", "other@example.com"],
    "runbookUrl": "https://example.com/operations.md",
}


@dataclass(frozen=True)
class Combination:
    premium: bool
    certificate: bool
    people: bool
    data_owner: bool

    def __str__(self) -> str:
        words = (
            "premium" if self.premium else "standard",
            "certificate" if self.certificate else "secret",
            "people" if self.people else "nobody",
            "owner" if self.data_owner else "receiver",
        )
        return "-".join(words)

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {
            "environmentName": "test",
            "partnerTenantId": "5b1f3c52-6b0a-4c43-9d2e-0d8a4a3f7c11",
            "partnerClientId": "e0a1d3b4-7c65-4f08-8f5d-2b9c6a1e4d22",
            "serviceBusSku": "Premium" if self.premium else "Standard",
            "serviceBusCapacity": 2 if self.premium else 1,
            "clientCertificateName": "partner-center-certificate" if self.certificate else "",
            "grantServiceBusDataOwner": self.data_owner,
            "appSettings": {"MAX_PARALLEL_CALLS": "32"},
            **(_PEOPLE if self.people else {}),
        }


COMBINATIONS = tuple(Combination(*flags) for flags in itertools.product((False, True), repeat=4))


@functools.cache
def parameters_file(combination: Combination) -> compiler.Output:
    """A parameters file with this combination, compiled beside the templates."""
    lines = [f"param {name} = {_literal(value)}" for name, value in combination.parameters.items()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(shutil.copytree(INFRA, Path(folder) / "infra")) / "combination.bicepparam"
        file.write_text("\n".join(["using 'main.bicep'", *lines, ""]))
        return compiler.build_params(file)


def _literal(value: Any) -> str:
    """Bicep writes objects on one line with commas, and texts in single quotes."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{key}: {_literal(item)}" for key, item in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_literal, value)) + "]"
        case str():
            return f"'{value}'"
    return json.dumps(value)
