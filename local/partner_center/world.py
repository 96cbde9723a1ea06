"""Puts the parts of the fake together, on one journal."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.partner_center.authorization import AuthorizationCodes
from local.partner_center.clients import Client
from local.partner_center.journal import Journal
from local.partner_center.service import PartnerCenter
from local.partner_center.switches import SwitchBoard
from local.partner_center.tokens import Authority, Tokens


@dataclass(frozen=True)
class World:
    service: PartnerCenter
    authority: Authority
    tokens: Tokens
    board: SwitchBoard
    client: Client
    journal: Journal


def open_world(
    *,
    tenant: str,
    client_id: str,
    clock: Callable[[], float],
    client_secret: str | None = None,
    state: Path | None = None,
) -> World:
    """A world of its own; with a `state` folder the one that was left there. Without a client secret it makes one."""
    if state:
        state.mkdir(parents=True, exist_ok=True)
    journal = Journal(state / "journal.jsonl" if state else None)
    board = SwitchBoard(journal)
    tokens = Tokens(journal, board, clock)
    service = PartnerCenter(journal, board, tokens, clock)
    client = Client(journal, client_id)
    authority = Authority(tenant, client, board, service.ledger, tokens, clock, AuthorizationCodes(clock))
    journal.load()
    service.ledger.end_interrupted()
    if client_secret or not client.secret:
        client.register(secret=client_secret or secrets.token_hex(20))
    return World(service, authority, tokens, board, client, journal)
