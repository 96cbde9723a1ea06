"""The obvious implementation, as the platform's quickstarts lead to it: what this app is measured against.

A function app of its own, written with care: timeouts, clients that are closed, an identity instead of keys. It makes
what it needs in each invocation, raises on any failure and leaves the rest to the platform's redelivery and next tick.
"""
