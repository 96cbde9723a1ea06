"""The answers that calls get again when they come with an MS-RequestId that was answered before.

Ids are compared whatever the call is: a client that uses one twice gets the old answer, even to another question.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local.partner_center.journal import Event, Journal
from local.partner_center.replies import Reply


class Memory:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._replies: dict[str, Mapping[str, Any]] = {}
        journal.on("remembered", self._apply)

    def keep(self, ms_request_id: str | None, reply: Reply) -> None:
        """Remembers the first answer to this id, if it is one that is remembered at all."""
        if ms_request_id and reply.remembered and ms_request_id not in self._replies:
            self._journal.record(
                "remembered",
                msRequestId=ms_request_id,
                http=reply.http,
                headers=dict(reply.headers),
                body=reply.body.decode(),
                code=reply.code,
            )

    def recall(self, ms_request_id: str | None) -> Reply | None:
        kept = self._replies.get(ms_request_id) if ms_request_id else None
        if kept is None:
            return None
        reply = Reply(kept["http"], kept["body"].encode(), kept["headers"], kept["code"])
        return replace(reply, repeated=True)

    def _apply(self, event: Event) -> None:
        self._replies[event["msRequestId"]] = event
