"""Service Bus trigger: one message, one create call, one row for the poller."""

import json
import os

import azure.functions as func
from azure.data.tables import TableClient
from azure.identity import DefaultAzureCredential

from ..partner_center import get_token, post


def main(msg: func.ServiceBusMessage) -> None:
    request = json.loads(msg.get_body())
    body = {"customerId": request["customerId"], "productFamily": request["productFamily"]}
    with (
        DefaultAzureCredential() as credential,
        TableClient(os.environ["TABLES_URL"], "Upgrades", credential=credential) as table,
    ):
        response = post("/v1/productupgrades", get_token(credential), body)
        upgrade_id = response.headers["Location"].rpartition("/")[2]
        row = {"PartitionKey": "upgrades", "RowKey": request["customerId"]}
        table.upsert_entity({**row, **body, "upgradeId": upgrade_id, "status": "InProgress"})
