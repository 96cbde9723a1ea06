"""The messages between host and Python worker, as plain classes where the platform has protobuf.

The names follow FunctionRpc.proto of the "Azure Functions Language Worker Protobuf"; the worker library reads and makes
messages by these names and never asks for more of protobuf than `WhichOneof`. This module is its `protos`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class TypedData:
    """One value under the name of its kind: `TypedData(string="x")`; no name at all is null."""

    def __init__(self, **value: Any) -> None:
        self._kind = next(iter(value), None)
        self.__dict__.update(value)

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802  protobuf's name
        return self._kind

    @classmethod
    def of(cls, value: object) -> "TypedData":
        """As the host converts what a trigger hands over: bytes and texts as they are, all else as JSON."""
        if isinstance(value, bytes):
            return cls(bytes=value)
        return cls(string=value) if isinstance(value, str) else cls(json=json.dumps(value))


@dataclass(frozen=True)
class TriggerData:
    """What a trigger gives to one invocation: the value of its parameter, and the metadata beside it."""

    value: TypedData
    metadata: Mapping[str, TypedData] = field(default_factory=dict)


@dataclass(frozen=True)
class ParameterBinding:
    name: str
    data: TypedData

    def WhichOneof(self, _group: str) -> str:  # noqa: N802  protobuf's name
        return "data"


@dataclass(frozen=True)
class BindingInfo:
    inout = "inout"
    out = "out"
    undefined = "undefined"

    type: str
    direction: str
    data_type: str = undefined


@dataclass(frozen=True)
class RpcException:
    message: str
    stack_trace: str = ""


@dataclass(frozen=True)
class StatusResult:
    Failure = "Failure"
    Success = "Success"

    status: str
    exception: RpcException | None = None


@dataclass(frozen=True)
class FunctionLoadResponse:
    function_id: str
    result: StatusResult


@dataclass(frozen=True)
class InvocationResponse:
    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list)


class WorkerInitResponse(SimpleNamespace):
    """Made by the library; the host needs nothing of it."""


class WorkerMetadata(SimpleNamespace):
    """Made by the library; the host needs nothing of it."""
