"""Calls as the fake Partner Center's ledger has them, for what is computed of them."""

from local.ledger_calls import Call


def call(kind: str, started_s: float, ended_s: float | None, *, upgrade_id: str = "u", created: bool = False) -> Call:
    return Call(
        sequence=1,
        kind=kind,
        correlation_id="",
        ms_request_id="",
        upgrade_id=upgrade_id,
        created=created,
        started_s=started_s,
        ended_s=ended_s,
        http=200,
        code=None,
        seen=True,
    )
