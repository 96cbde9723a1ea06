"""Policies: every app setting is accounted for, both ways."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import InvalidSettings
from shared.settings import Settings
from tests.infra.arm import Deployment
from tests.infra.combinations import INFRA
from tests.infra.complaints import Complaints, Policy, strings, unequal
from tests.infra.policies_access import COMPONENT, NAMESPACE, SITE, STORAGE, VAULT
from tests.infra.policies_platform import IDENTITY

APP = INFRA.parent

# Read by the platform or by an SDK, not by the code.
_PLATFORM = {
    "AzureWebJobsStorage__accountName", "AzureWebJobsStorage__credential", "AzureWebJobsStorage__clientId",
    "PYTHON_THREADPOOL_THREAD_COUNT", "MALLOC_ARENA_MAX", "AZURE_CLIENT_ID", "AZURE_TOKEN_CREDENTIALS",
    "APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}  # fmt: skip
_CONNECTION = ("fullyQualifiedNamespace", "credential", "clientId")  # of a connection by identity
# They break a Flex Consumption app, or make the worker send a telemetry of its own in place of the host's.
_FORBIDDEN = re.compile(
    r"FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_RUN_FROM_PACKAGE|SCM_DO_BUILD_DURING_DEPLOYMENT"
    r"|ENABLE_ORYX_BUILD|WEBSITE_CONTENT.*|PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY|PYTHON_ENABLE_OPENTELEMETRY",
    re.IGNORECASE,
)
_KEY = re.compile(r"(AccountKey|SharedAccessKey|SharedAccessSignature|sig)=", re.IGNORECASE)


def app_settings(deployment: Deployment) -> dict[str, str]:
    entries = deployment.one(SITE).properties["siteConfig"]["appSettings"]
    return {entry["name"]: entry["value"] for entry in entries}


def every_setting_is_read_by_somebody(deployment: Deployment) -> Complaints:
    known = {*_fields(), *_bound(), *_PLATFORM}
    yield from (f"nobody reads {name}" for name in sorted(set(app_settings(deployment)) - known))


def every_setting_can_be_set(deployment: Deployment) -> Complaints:
    """What is read is set by the templates, or is one of the optional ones that `appSettings` takes; never both."""
    module = next(template for name, template in deployment.templates() if name == "function-app")
    tuning = module["definitions"]["tuning"]
    optional = set(tuning["properties"])
    fixed = set(app_settings(deployment)) - set(deployment.parameters["appSettings"])
    if not deployment.parameters["clientCertificateName"]:
        fixed.add("CLIENT_CERTIFICATE_NAME")  # left out where there is none
    yield from unequal("what is set or can be", fixed | optional, {*_fields(), *_bound(), *_PLATFORM})
    yield from unequal("what is set and can be set otherwise", fixed & optional, set())
    yield from unequal("other settings beside these", tuning.get("additionalProperties"), False)


def nothing_is_set_that_harms(deployment: Deployment) -> Complaints:
    settings = app_settings(deployment)
    yield from (f"{name} must not be set on Flex Consumption" for name in settings if _FORBIDDEN.fullmatch(name))
    yield from (f"{name} holds a key" for name, value in settings.items() if _KEY.search(value))


def the_code_accepts_the_settings(deployment: Deployment) -> Complaints:
    try:
        read = Settings.from_env(app_settings(deployment))
    except InvalidSettings as error:
        yield from error.problems
        return
    certificate = deployment.parameters["clientCertificateName"] or None
    yield from unequal("the certificate", read.client_certificate_name, certificate)


def settings_lead_to_this_deployment(deployment: Deployment) -> Complaints:
    one = {kind: deployment.one(kind).name for kind in (IDENTITY, STORAGE, NAMESPACE, VAULT, COMPONENT)}
    client = f"client-of-{one[IDENTITY]}"
    expected = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey=key-of-{one[COMPONENT]}",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={client};Authorization=AAD",
        "AZURE_CLIENT_ID": client,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "AzureWebJobsStorage__accountName": one[STORAGE],
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": client,
        "ServiceBus__fullyQualifiedNamespace": f"{one[NAMESPACE]}.servicebus.example",
        "ServiceBus__credential": "managedidentity",
        "ServiceBus__clientId": client,
        "KEY_VAULT_URL": f"https://{one[VAULT]}.vault.example/",
        "TABLES_URL": f"https://{one[STORAGE]}.table.example/",
        "UPGRADE_QUEUE": deployment.parameters["queueName"],
        "POLL_SCHEDULE": "0 * * * * *",
    }
    found = app_settings(deployment)
    for name, value in expected.items():
        yield from unequal(name, found.get(name), value)


def there_is_a_thread_for_every_message(deployment: Deployment) -> Complaints:
    host = json.loads((APP / "host.json").read_text())
    calls = str(host["extensions"]["serviceBus"]["maxConcurrentCalls"])
    yield from unequal("the threads", app_settings(deployment).get("PYTHON_THREADPOOL_THREAD_COUNT"), calls)


def outputs_are_what_the_app_is_told(deployment: Deployment) -> Complaints:
    settings = app_settings(deployment)
    for name, value in deployment.outputs.items():
        if name in settings:
            yield from unequal(f"the output {name}", value, settings[name])
    others = {
        "AZURE_FUNCTION_APP_NAME": deployment.one(SITE).name,
        "SERVICE_BUS_NAMESPACE": settings.get("ServiceBus__fullyQualifiedNamespace"),
        "APPLICATIONINSIGHTS_NAME": deployment.one(COMPONENT).name,
        "CLIENT_CERTIFICATE_NAME": deployment.parameters["clientCertificateName"],
    }
    for name, value in others.items():
        yield from unequal(f"the output {name}", deployment.outputs.get(name), value)


def _fields() -> set[str]:
    return {field.name.upper() for field in dataclasses.fields(Settings)}


def _bound() -> set[str]:
    """What the host reads because a function.json names it: `%NAME%`, or a connection's parts."""
    return {name for file in APP.glob("*/function.json") for name in _named(json.loads(file.read_text()))}


def _named(function: Mapping[str, Any]) -> Iterator[str]:
    for text in strings(function):
        yield from re.findall(r"%(\w+)%", text)
    for binding in function["bindings"]:
        if "connection" in binding:
            yield from (f"{binding['connection']}__{part}" for part in _CONNECTION)


SETTINGS: tuple[Policy, ...] = (
    every_setting_is_read_by_somebody,
    every_setting_can_be_set,
    nothing_is_set_that_harms,
    the_code_accepts_the_settings,
    settings_lead_to_this_deployment,
    there_is_a_thread_for_every_message,
    outputs_are_what_the_app_is_told,
)
