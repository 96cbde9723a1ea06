"""A compiled template with given parameters, as the flat list of resources that a deployment of it would make."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.infra.arm_functions import PURE, resource_id
from tests.infra.expressions import Scope, evaluate

_NESTED = "Microsoft.Resources/deployments"


@dataclass(frozen=True)
class Resource:
    """`body`: as in the template, every expression evaluated. `module`: of the template that declares it; "": main."""

    module: str
    language_version: str
    body: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def name(self) -> str:
        return str(self.body["name"])

    @property
    def id(self) -> str:
        return resource_id(self.type, *self.name.split("/"))

    @property
    def properties(self) -> Mapping[str, Any]:
        return self.body.get("properties") or {}

    @property
    def scope(self) -> str:
        """What an extension resource extends; "": the resource group."""
        return str(self.body.get("scope", ""))

    @property
    def only_if_not_exists(self) -> bool:
        return "onlyIfNotExists" in self.body.get("@options", {})


@dataclass(frozen=True)
class Deployment:
    """`template` is what the compiler printed; `parameters`: all of main's, defaults included."""

    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]

    def of_type(self, resource_type: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == resource_type]

    def one(self, resource_type: str) -> Resource:
        found = self.of_type(resource_type)
        assert len(found) == 1, f"{len(found)} resources of type {resource_type}"
        return found[0]

    def templates(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Main's template and every module's, by name, as they are: conditions and loops not followed."""
        yield from _templates("", self.template)


def deploy(template: Mapping[str, Any], parameters: Mapping[str, Any]) -> Deployment:
    main = _Template("", template, parameters)
    return Deployment(template, main.parameters, tuple(main.resources()), main.outputs())


def declared(template: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The resources of one template by symbolic name (without such names: by position)."""
    resources = template["resources"]
    return resources if isinstance(resources, dict) else {str(at): value for at, value in enumerate(resources)}


def _templates(name: str, template: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield name, template
    for body in declared(template).values():
        if body["type"] == _NESTED:
            yield from _templates(str(body["name"]), body["properties"]["template"])


class _Template:
    """One template being evaluated; a module's is evaluated when it is first asked for."""

    def __init__(self, module: str, template: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        self._module = module
        self._template = template
        self._modules: dict[str, _Template] = {}
        self._variables: dict[str, Any] = {}
        own: dict[str, Callable[..., Any]] = {
            "parameters": self._parameter,
            "variables": self._variable,
            "reference": self._reference,
        }
        self._scope = Scope({**PURE, **own})
        self._given = given
        self.parameters = {name: self._parameter(name) for name in template.get("parameters", {})}

    def resources(self) -> Iterator[Resource]:
        for symbol, body in declared(self._template).items():
            if body.get("existing") or not evaluate(body.get("condition", True), self._scope):
                continue
            if body["type"] == _NESTED:
                yield from self._nested(symbol).resources()
                continue
            for scope in self._iterations(body):
                yield Resource(self._module, self._template.get("languageVersion", "1.0"), evaluate(dict(body), scope))

    def outputs(self) -> dict[str, Any]:
        return {name: evaluate(body["value"], self._scope) for name, body in self._template.get("outputs", {}).items()}

    def _iterations(self, body: Mapping[str, Any]) -> Iterator[Scope]:
        if "copy" not in body:
            yield self._scope
            return
        for index in range(evaluate(body["copy"]["count"], self._scope)):
            yield self._scope.inner(copyIndex=index)

    def _nested(self, symbol: str) -> "_Template":
        if symbol not in self._modules:
            body = declared(self._template)[symbol]
            given = {k: evaluate(v["value"], self._scope) for k, v in body["properties"].get("parameters", {}).items()}
            self._modules[symbol] = _Template(str(body["name"]), body["properties"]["template"], given)
        return self._modules[symbol]

    def _parameter(self, name: str) -> Any:
        if name in self._given:
            return self._given[name]
        return evaluate(self._template["parameters"][name]["defaultValue"], self._scope)

    def _variable(self, name: str) -> Any:
        if name not in self._variables:
            self._variables[name] = evaluate(self._template["variables"][name], self._scope)
        return self._variables[name]

    def _reference(self, symbol: str, *_: str) -> Any:
        body = declared(self._template)[symbol]
        if body["type"] == _NESTED:
            return {"outputs": {name: {"value": value} for name, value in self._nested(symbol).outputs().items()}}
        return runtime(body["type"], evaluate(body["name"], self._scope))


def runtime(resource_type: str, name: str) -> dict[str, Any]:
    """What only Azure knows of a resource, once it is there."""
    match resource_type:
        case "Microsoft.ManagedIdentity/userAssignedIdentities":
            return {"principalId": f"principal-of-{name}", "clientId": f"client-of-{name}"}
        case "Microsoft.Storage/storageAccounts":
            return {"primaryEndpoints": {kind: f"https://{name}.{kind}.example/" for kind in ("blob", "table")}}
        case "Microsoft.ServiceBus/namespaces":
            return {"serviceBusEndpoint": f"https://{name}.servicebus.example:443/"}
        case "Microsoft.KeyVault/vaults":
            return {"vaultUri": f"https://{name}.vault.example/"}
        case "Microsoft.Insights/components":
            return {"ConnectionString": f"InstrumentationKey=key-of-{name}", "InstrumentationKey": f"key-of-{name}"}
        case "Microsoft.OperationalInsights/workspaces":
            return {"customerId": f"workspace-of-{name}"}
    raise NotImplementedError(f"what Azure knows of a {resource_type}: add it to tests/infra/arm.py")
