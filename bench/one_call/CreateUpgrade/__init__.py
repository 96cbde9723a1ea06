"""Service Bus trigger: one create call for a message, and nothing else. What broker, host and one call cost alone."""

import json
import os

import azure.functions as func
import requests


def main(msg: func.ServiceBusMessage) -> None:
    request = json.loads(msg.get_body())
    requests.post(
        f"{os.environ['PARTNER_CENTER_URL']}/v1/productupgrades",
        json={"customerId": request["customerId"], "productFamily": request["productFamily"]},
        headers={"Authorization": f"Bearer {os.environ['ACCESS_TOKEN']}"},
        timeout=60,
    ).raise_for_status()
