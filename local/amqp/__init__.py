"""The server side of AMQP 1.0 (OASIS standard, 2012), without a socket and without knowing what it serves.

From the bytes up: `values` (Python's names for AMQP's types), `encoding`, `decoding` and `measuring` (part 1),
`composites` and `performatives` (parts 2, 3 and 5), `frames`, `messages` (part 3.2); then the endpoints `connection`,
`session` and `link` (part 2) with `sasl` (part 5.3), the interface `nodes` of whatever is served, `request_response`
for nodes that answer, and `server`, the only module that knows asyncio.
"""
