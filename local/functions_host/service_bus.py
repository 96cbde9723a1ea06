"""The listener of a Service Bus trigger: receives a message when a slot is free, invokes, and settles it.

Follows "Azure Service Bus trigger for Azure Functions: PeekLock behavior" and the host.json settings of its extension.

Each of the `maxConcurrentCalls` slots has a connection of its own and does one thing at a time. So credit is
outstanding only while a slot waits for a message (a receiver that is left idle with credit swallows one), and no
settlement or renewal waits for a read: the SDK holds one lock a connection, for reads too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from local.functions_host.app import ServiceBusOptions
from local.functions_host.delivery import Delivery
from local.functions_host.logs import HostLog
from local.functions_host.messages import TriggerData
from local.functions_host.worker import InvocationResult

_CATEGORY = "Host.Triggers.ServiceBus"
_IDLE_S = 60.0  # one receive call; the next one follows at once
_RECONNECT_FIRST_S, _RECONNECT_MAX_S = 0.1, 5.0
_RENEW_AHEAD_S = 10.0


class _Stopped(Exception):
    """The listener was told to stop before the step was done."""


class ServiceBusListener:
    """Serves one queue with `options.max_concurrent_calls` slots."""

    def __init__(
        self,
        queue: str,
        open_client: Callable[[], ServiceBusClient],
        invoke: Callable[[TriggerData], Awaitable[InvocationResult]],
        *,
        options: ServiceBusOptions,
        log: HostLog,
    ) -> None:
        self._queue = queue
        self._open_client = open_client
        self._invoke = invoke
        self._options = options
        self._log = log
        self._stopping = False
        self._connected = True
        self._interruptible: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Until it is stopped, and every message that was received is settled."""
        async with asyncio.TaskGroup() as slots:
            for _ in range(self._options.max_concurrent_calls):
                slots.create_task(self._serve_slot())

    def stop(self) -> None:
        self._stopping = True
        for step in self._interruptible:
            step.cancel()

    async def _serve_slot(self) -> None:
        """Connects, again and again."""
        delay_s = _RECONNECT_FIRST_S
        while not self._stopping:
            try:
                async with AsyncExitStack() as stack:
                    receiver = await self._connect(stack)
                    delay_s = _RECONNECT_FIRST_S
                    await self._serve(receiver)
            except _Stopped:
                return
            except Exception as error:  # noqa: BLE001  whatever a broken connection raises: the host stays up
                self._note_lost(error)
            delay_s = await self._pause(delay_s)

    async def _connect(self, stack: AsyncExitStack) -> ServiceBusReceiver:
        client = await stack.enter_async_context(self._open_client())
        slots = self._options.max_concurrent_calls
        prefetch = -(-self._options.prefetch_count // slots)
        receiver = client.get_queue_receiver(self._queue, prefetch_count=prefetch)
        await self._unless_stopped(stack.enter_async_context(receiver))
        self._note_connected()
        return receiver

    async def _serve(self, receiver: ServiceBusReceiver) -> None:
        while True:
            receiving = receiver.receive_messages(max_message_count=1, max_wait_time=_IDLE_S)
            for message in await self._unless_stopped(receiving):
                await self._deliver(receiver, message)

    async def _deliver(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
        done = asyncio.Event()
        renewal = asyncio.create_task(self._keep_locked(receiver, message, done))
        try:
            succeeded = await self._succeeds(message)
        finally:
            done.set()
            await renewal
        await self._settle(receiver, message, succeeded=succeeded)

    async def _succeeds(self, message: ServiceBusReceivedMessage) -> bool:
        try:
            trigger = Delivery.of(message).trigger_data()
        except (TypeError, ValueError) as error:
            self._log.write("Error", _CATEGORY, f"Message {message.message_id} cannot be bound: {error}")
            return False
        return (await self._invoke(trigger)).succeeded

    async def _settle(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, *, succeeded: bool
    ) -> None:
        try:
            if not succeeded:
                await receiver.abandon_message(message)
            elif self._options.auto_complete_messages:
                await receiver.complete_message(message)
        except (ServiceBusError, ValueError) as error:
            operation = "Complete" if succeeded else "Abandon"
            self._log.write("Error", _CATEGORY, f"{operation} of message {message.message_id} failed: {error}")

    async def _keep_locked(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, done: asyncio.Event
    ) -> None:
        """Renews the lock of a message until its invocation is `done`, or the longest time for that is over."""
        clock = asyncio.get_running_loop().time
        end_s = clock() + self._options.max_auto_lock_renewal_s
        while not await _set_within(done, _renewal_delay_s(message)) and clock() < end_s:
            try:
                await receiver.renew_message_lock(message)
            except (ServiceBusError, ValueError) as error:
                self._log.write("Warning", _CATEGORY, f"Lock of message {message.message_id} not renewed: {error}")
                if isinstance(error, MessageLockLostError) or _lock_left_s(message) <= 0:
                    return

    async def _unless_stopped[T](self, step: Coroutine[Any, Any, T]) -> T:
        """Awaits a step that `stop` may cut short. Raises: _Stopped."""
        task = asyncio.create_task(step)
        self._interruptible.add(task)
        if self._stopping:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if self._stopping and task.cancelled():
                raise _Stopped from None
            raise
        finally:
            self._interruptible.discard(task)

    async def _pause(self, delay_s: float) -> float:
        try:
            await self._unless_stopped(asyncio.sleep(delay_s))
        except _Stopped:
            return delay_s
        return min(delay_s * 2, _RECONNECT_MAX_S)

    def _note_lost(self, error: Exception) -> None:
        if self._connected:  # one line an outage, not one a slot
            self._connected = False
            self._log.write("Warning", _CATEGORY, f"No connection to queue '{self._queue}', trying again: {error}")

    def _note_connected(self) -> None:
        if not self._connected:
            self._connected = True
            self._log.write("Information", _CATEGORY, f"Connected to queue '{self._queue}'")


def _renewal_delay_s(message: ServiceBusReceivedMessage) -> float:
    """Half of what is left of the lock, of a long one ten seconds before its end."""
    left_s = _lock_left_s(message)
    return max(0.05, left_s - min(left_s / 2, _RENEW_AHEAD_S))


def _lock_left_s(message: ServiceBusReceivedMessage) -> float:
    assert message.locked_until_utc
    return (message.locked_until_utc - datetime.now(UTC)).total_seconds()


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            return await event.wait()
    except TimeoutError:
        return False
