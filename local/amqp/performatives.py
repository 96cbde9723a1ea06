"""What peers say to each other, field by field as the standard lists it (AMQP 1.0, parts 2.7, 2.8, 3 and 5.3)."""

from typing import NamedTuple

from local.amqp.composites import (
    anything,
    binary,
    boolean,
    composite,
    mapping,
    string,
    symbol,
    ubyte,
    uint,
    ulong,
    ushort,
)

SENDER, RECEIVER = False, True
SETTLED = 1  # snd-settle-mode: the sender sends everything settled


@composite(0x1D)
class Error(NamedTuple):
    condition: symbol
    description: string | None = None
    info: mapping | None = None


@composite(0x10)
class Open(NamedTuple):
    container_id: string
    hostname: string | None = None
    max_frame_size: uint = 4294967295
    channel_max: ushort = 65535
    idle_time_out: uint | None = None
    outgoing_locales: anything = None
    incoming_locales: anything = None
    offered_capabilities: anything = None
    desired_capabilities: anything = None
    properties: mapping | None = None


@composite(0x11)
class Begin(NamedTuple):
    remote_channel: ushort | None
    next_outgoing_id: uint
    incoming_window: uint
    outgoing_window: uint
    handle_max: uint = 4294967295
    offered_capabilities: anything = None
    desired_capabilities: anything = None
    properties: mapping | None = None


@composite(0x12)
class Attach(NamedTuple):
    name: string
    handle: uint
    role: boolean
    snd_settle_mode: ubyte = 2
    rcv_settle_mode: ubyte = 0
    source: anything = None
    target: anything = None
    unsettled: anything = None
    incomplete_unsettled: boolean = False
    initial_delivery_count: uint | None = None
    max_message_size: ulong | None = None
    offered_capabilities: anything = None
    desired_capabilities: anything = None
    properties: mapping | None = None


@composite(0x13)
class Flow(NamedTuple):
    next_incoming_id: uint | None
    incoming_window: uint
    next_outgoing_id: uint
    outgoing_window: uint
    handle: uint | None = None
    delivery_count: uint | None = None
    link_credit: uint | None = None
    available: uint | None = None
    drain: boolean = False
    echo: boolean = False
    properties: mapping | None = None


@composite(0x14)
class Transfer(NamedTuple):
    handle: uint
    delivery_id: uint | None = None
    delivery_tag: binary | None = None
    message_format: uint | None = None
    settled: boolean | None = None
    more: boolean = False
    rcv_settle_mode: ubyte | None = None
    state: anything = None
    resume: boolean = False
    aborted: boolean = False
    batchable: boolean = False


@composite(0x15)
class Disposition(NamedTuple):
    role: boolean
    first: uint
    last: uint | None = None
    settled: boolean = False
    state: anything = None
    batchable: boolean = False


@composite(0x16)
class Detach(NamedTuple):
    handle: uint
    closed: boolean = False
    error: anything = None


@composite(0x17)
class End(NamedTuple):
    error: anything = None


@composite(0x18)
class Close(NamedTuple):
    error: anything = None


@composite(0x24)
class Accepted(NamedTuple): ...


@composite(0x25)
class Rejected(NamedTuple):
    error: anything = None


@composite(0x26)
class Released(NamedTuple): ...


@composite(0x27)
class Modified(NamedTuple):
    delivery_failed: boolean = False
    undeliverable_here: boolean = False
    message_annotations: mapping | None = None


type Outcome = Accepted | Rejected | Released | Modified


@composite(0x28)
class Source(NamedTuple):
    address: anything = None
    durable: uint = 0
    expiry_policy: symbol | None = None
    timeout: uint = 0
    dynamic: boolean = False
    dynamic_node_properties: mapping | None = None
    distribution_mode: symbol | None = None
    filter: mapping | None = None
    default_outcome: anything = None
    outcomes: anything = None
    capabilities: anything = None


@composite(0x29)
class Target(NamedTuple):
    address: anything = None
    durable: uint = 0
    expiry_policy: symbol | None = None
    timeout: uint = 0
    dynamic: boolean = False
    dynamic_node_properties: mapping | None = None
    capabilities: anything = None


@composite(0x30)
class Coordinator(NamedTuple):
    capabilities: anything = None


@composite(0x40)
class SaslMechanisms(NamedTuple):
    sasl_server_mechanisms: anything


@composite(0x41)
class SaslInit(NamedTuple):
    mechanism: symbol
    initial_response: binary | None = None
    hostname: string | None = None


@composite(0x44)
class SaslOutcome(NamedTuple):
    code: ubyte
    additional_data: binary | None = None


@composite(0x70)
class Header(NamedTuple):
    durable: boolean = False
    priority: ubyte = 4
    ttl: uint | None = None
    first_acquirer: boolean = False
    delivery_count: uint = 0


@composite(0x73)
class Properties(NamedTuple):
    message_id: anything = None
    user_id: binary | None = None
    to: anything = None
    subject: string | None = None
    reply_to: anything = None
    correlation_id: anything = None
    content_type: symbol | None = None
    content_encoding: symbol | None = None
    absolute_expiry_time: anything = None
    creation_time: anything = None
    group_id: string | None = None
    group_sequence: uint | None = None
    reply_to_group_id: string | None = None
