"""Asks for upgrades: one message for each customer.

usage: python send.py CUSTOMER_ID...
needs: pip install azure-servicebus azure-identity; the role Azure Service Bus Data Sender on the queue
"""

import json
import os
import sys

from azure.identity import DefaultAzureCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage


def client() -> ServiceBusClient:
    """Of the deployment, signed in as you are; or of the local cloud, whose connection string holds no secret."""
    if local := os.environ.get("SERVICE_BUS_CONNECTION_STRING"):
        return ServiceBusClient.from_connection_string(local)
    return ServiceBusClient(os.environ["SERVICE_BUS_NAMESPACE"], DefaultAzureCredential())


def message(customer_id: str) -> ServiceBusMessage:
    # The same request id in every run: to send it again after a failure changes nothing.
    request = {"customerId": customer_id, "productFamily": "Azure", "requestId": f"wave-1/{customer_id}"}
    return ServiceBusMessage(json.dumps(request), content_type="application/json")


with client() as bus, bus.get_queue_sender(os.environ.get("UPGRADE_QUEUE", "upgrades")) as sender:
    # A list goes as one batch; `create_message_batch` says when one of thousands is full.
    sender.send_messages([message(customer_id) for customer_id in sys.argv[1:]])
