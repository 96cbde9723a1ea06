"""Timer trigger: asks for the status of every upgrade that is open, one after the other."""

import os

import azure.functions as func
from azure.data.tables import TableClient
from azure.identity import DefaultAzureCredential

from ..partner_center import get_token, post


def main(timer: func.TimerRequest) -> None:  # noqa: ARG001  the binding's name
    with (
        DefaultAzureCredential() as credential,
        TableClient(os.environ["TABLES_URL"], "Upgrades", credential=credential) as table,
    ):
        token = get_token(credential)
        for row in table.query_entities("PartitionKey eq 'upgrades' and status eq 'InProgress'"):
            body = {"customerId": row["customerId"], "productFamily": row["productFamily"]}
            upgrade = post(f"/v1/productupgrades/{row['upgradeId']}/status", token, body).json()
            if upgrade["status"] != "InProgress":
                table.update_entity({**row, "status": upgrade["status"]})
