"""A Service Bus namespace on one machine: queues with peek-lock, over `local.amqp`.

`queue` (with `locks`) holds the rules and knows no network; `message` and `envelope` what it keeps and how that looks;
`journal` lets it survive the process; `queue_node`, `management` and `namespace` serve it to AMQP peers; `control`
breaks it on demand. Follows "AMQP 1.0 in Azure Service Bus: protocol guide", "AMQP request-response-based operations",
"Message transfers, locks, and settlement" and "Overview of Service Bus dead-letter queues". Not there: topics,
sessions, scheduling, deferral, transactions, duplicate detection.
"""
