"""The cloud on one machine, for development and tests; never deployed.

Every part is a process of its own that listens on 127.0.0.1 and speaks the real protocol, so that unmodified SDKs are
its clients: `service_bus` (AMQP 1.0), `identity`, `key_vault`, `partner_center`, `azurite` (Table Storage) and
`functions_host`. `cloud` starts them all.
"""
