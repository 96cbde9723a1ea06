"""Loads functions of an app and invokes them through the platform's own worker library, in this process.

The library's registry is global, and it loads each function folder as the module `__app__.NAME`: one process serves one
app, or several whose functions all have different names. A change of an app's code needs a new process.
"""

import asyncio
import importlib
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import azure_functions_runtime_v1 as runtime

from local.functions_host import messages
from local.functions_host.app import Function, read_function
from local.functions_host.messages import ParameterBinding, RpcException, StatusResult, TriggerData, TypedData

_NOT_TRACED = SimpleNamespace(trace_parent="", trace_state="", attributes={})
_NOT_RETRIED = SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)


@dataclass(frozen=True)
class InvocationResult:
    """How an invocation ended. `error` None: the function returned."""

    invocation_id: str
    error: RpcException | None = None
    return_value: TypedData | None = None

    @property
    def succeeded(self) -> bool:
        return self.error is None


class Worker:
    """The functions of the app in `app`, to be loaded by name before they are invoked."""

    def __init__(self, app: Path) -> None:
        self._app = app.resolve()
        self._functions: dict[str, Function] = {}
        self._load_errors: dict[str, RpcException] = {}

    async def load(self, name: str) -> RpcException | None:
        """Loads a function; returns why that failed. As on the platform each invocation of it then fails by that.

        Raises:
            AppError: there is no function.json that can be read.
            ValueError: this process has loaded a function of that name from another app.
        """
        function = read_function(self._app, name)
        await self._initialize()
        response = await runtime.function_load_request(_request(function_load_request=_load_request(function)))
        _refuse_namesake(function)
        self._functions[name] = function
        if response.result.status == StatusResult.Success:
            return None
        self._load_errors[name] = response.result.exception
        return self._load_errors[name]

    async def invoke(self, name: str, trigger: TriggerData, invocation_id: str | None = None) -> InvocationResult:
        """Runs a loaded function once; what it raises is in the result."""
        invocation_id = invocation_id or str(uuid.uuid4())
        if name in self._load_errors:
            return InvocationResult(invocation_id, self._load_errors[name])
        request = _request(invocation_request=_invocation_request(self._functions[name], trigger, invocation_id))
        # The library sets it for functions that run on its thread pool only; an async one runs in this task.
        token = runtime.invocation_id_cv.set(invocation_id)
        try:
            response = await runtime.invocation_request(request)
        finally:
            runtime.invocation_id_cv.reset(token)
        return InvocationResult(invocation_id, response.result.exception, response.return_value)

    async def _initialize(self) -> None:
        if str(self._app) not in sys.path:
            sys.path.append(str(self._app))
            importlib.invalidate_caches()
        if runtime.get_threadpool_executor() is None:
            runtime.start_threadpool_executor()
        await runtime.worker_init_request(_request(worker_init_request=SimpleNamespace(capabilities={})))


class SyncWorker:
    """A Worker for callers without an event loop: `with SyncWorker(app) as worker: worker.load("CreateUpgrade")`."""

    def __init__(self, app: Path) -> None:
        self._worker = Worker(app)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def load(self, name: str) -> RpcException | None:
        return self._runner.run(self._worker.load(name))

    def invoke(self, name: str, trigger: TriggerData) -> InvocationResult:
        return self._runner.run(self._worker.invoke(name, trigger))


def _refuse_namesake(function: Function) -> None:
    module = sys.modules.get(f"__app__.{function.name}")
    file = getattr(module, "__file__", None)
    if file and function.folder not in Path(file).resolve().parents:
        raise ValueError(f"a function {function.name!r} of another app is loaded in this process, from {file}")


def _request(**content: object) -> SimpleNamespace:
    return SimpleNamespace(request=SimpleNamespace(**content), properties={"host": "local", "protos": messages})


def _load_request(function: Function) -> SimpleNamespace:
    metadata = SimpleNamespace(
        name=function.name,
        directory=str(function.folder),
        script_file=str(function.script_file),
        entry_point=function.entry_point,
        bindings={binding["name"]: _binding_info(binding) for binding in function.bindings},
    )
    return SimpleNamespace(function_id=str(function.folder), metadata=metadata)


def _binding_info(binding: Any) -> messages.BindingInfo:
    return messages.BindingInfo(
        type=binding["type"],
        direction=str(binding.get("direction", "in")).lower(),
        data_type=binding.get("dataType", messages.BindingInfo.undefined),
    )


def _invocation_request(function: Function, trigger: TriggerData, invocation_id: str) -> SimpleNamespace:
    return SimpleNamespace(
        invocation_id=invocation_id,
        function_id=str(function.folder),
        input_data=[ParameterBinding(function.trigger["name"], trigger.value)],
        trigger_metadata=trigger.metadata,
        trace_context=_NOT_TRACED,
        retry_context=_NOT_RETRIED,
    )
