"""The named scenarios: every way in which an upgrade request can end or struggle."""

from collections.abc import Mapping

from local.partner_center.replies import HTML, ErrorCode
from local.partner_center.scenario import Course, LineItem, Scenario
from local.partner_center.steps import (
    Step,
    answer,
    cut,
    drip,
    endless,
    error,
    forever,
    location,
    redirect,
    refuse,
    slow,
    status_word,
    throttle,
    times,
    unauthorized,
    vanish,
)

_DONE = LineItem("completed")
_BROKEN = LineItem("failed", {"code": 900107, "description": "No catalog item was found for the plan."})
_ERROR = {"code": 900120, "description": "The upgrade cannot be processed."}


def _refused(about: str, http: int, code: ErrorCode, description: str) -> Scenario:
    return Scenario(about=about, create=(forever(refuse(http, code, description)),))


def _struggles(about: str, *steps: Step) -> Scenario:
    return Scenario(about=about, create=steps)


def _polled(about: str, *steps: Step) -> Scenario:
    return Scenario(about=about, status=steps)


_COURSES: Mapping[str, Scenario] = {
    "completes": Scenario(about="accepted; completed at the second status call"),
    "completes-slowly": Scenario(about="completed at the sixth status call", course=Course(polls=6)),
    "completes-without-line-items": Scenario(about="completed, with no line items", course=Course(line_items=())),
    "partly": Scenario(
        about="completed, one line item of three failed", course=Course(line_items=(_DONE, _BROKEN, _DONE))
    ),
    "all-line-items-failed": Scenario(
        about="completed, but every line item failed", course=Course(line_items=(_BROKEN, _BROKEN))
    ),
    "failed": Scenario(about="failed", course=Course(end="failed", line_items=(_BROKEN,), error=_ERROR)),
    "failed-but-one-completed": Scenario(
        about="failed, though one line item completed",
        course=Course(end="failed", line_items=(_DONE, _BROKEN), error=_ERROR),
    ),
    "never-finishes": Scenario(about="in progress for ever", course=Course(polls=None)),
    "already-in-progress": Scenario(about="409 900109: an upgrade is in progress", existing="in progress"),
    "already-completed": Scenario(about="400 900110: an upgrade is completed", existing="completed"),
    "already-failed": Scenario(about="an earlier upgrade failed; a new one is accepted", existing="failed"),
    "already-completed-id-mismatch": Scenario(
        about="400 900111: the text names the upgrade of this customer",
        create=(forever(refuse(400, 900111, "The id is not of this customer, who is mapped to the upgrade {id}.")),),
        existing="completed",
    ),
}

_REFUSALS: Mapping[str, Scenario] = {
    "suspended": _refused("403 900105 for good", 403, 900105, "The customer's Azure subscriptions are suspended."),
    "no-subscriptions": _refused("403 900108 for good", 403, 900108, "The customer has no Azure subscriptions."),
    "no-relationship": _refused("403 20002 for good", 403, 20002, "There is no relationship with the customer."),
    "customer-agreement-missing": _refused("403 900123 for good", 403, 900123, "The customer agreement is missing."),
    "partner-agreement-missing": _refused("403 900124 for good", 403, 900124, "The partner agreement is missing."),
    "agreement-not-signed": _refused("403 13605 for good", 403, "13605", "The agreement has not been signed."),
    "invalid-customer": _refused("400 900118 for good", 400, 900118, "The customer is invalid."),
    "no-catalog-item": _refused("400 900107 for good", 400, 900107, "No catalog item was found."),
    "shared-services": _refused("400 900119 for good", 400, 900119, "The subscription has shared services."),
    "cannot-process": _refused("400 900120 for good", 400, 900120, "The upgrade cannot be processed."),
    "sandbox-limit": _refused("400 900116 for good", 400, 900116, "The sandbox allows no more upgrades."),
    "unknown-refusal": _refused("400 with a code of no list, for good", 400, "999999", "Something is not right."),
    "role-missing": _refused("403 2032 for good: our own role", 403, 2032, "The user lacks the role for this call."),
    "role-missing-once": _struggles("403 2032 once", refuse(403, 2032, "The user lacks the role for this call.")),
    "bought-too-recently-then-ok": _struggles(
        "403 900130 once, then accepted", refuse(403, 900130, "Bought too recently, try again later.")
    ),
    "bought-too-recently": _refused("403 900130 for good", 403, 900130, "Bought too recently, try again later."),
    "unauthorized-once": _struggles("401 once, then accepted", unauthorized()),
    "unauthorized": _struggles("401 for good", forever(unauthorized())),
    "mfa-missing-once": _struggles("401 900421 once", unauthorized(900421, "The token has no MFA claim.")),
}

_STRUGGLES: Mapping[str, Scenario] = {
    "throttled": _struggles("429 with Retry-After 1, twice", times(2, throttle(1))),
    "throttled-no-header": _struggles("429 without Retry-After, twice", times(2, throttle())),
    "throttled-http-date": _struggles("429 with an HTTP-date as Retry-After", throttle("{date+1}")),
    "throttled-absurdly": _struggles("429 with Retry-After that makes no sense", throttle("soon"), throttle(10**12)),
    "throttled-status": _polled("429 with Retry-After 1 to a status call", throttle(1)),
    "server-error-then-ok": _struggles("503 twice, then accepted", times(2, error(503))),
    "html-error": _struggles("500 with an HTML page", error(500, "html")),
    "bad-gateway": _struggles("502 with an empty body", error(502, "empty")),
    "status-error": _polled("500 to two status calls", times(2, error(500))),
    "slow": _struggles("acts only after 3 s", slow(3)),
    "slow-answer": _struggles("acts at once, answers after 3 s", slow(3, "after")),
    "cut-before": _struggles("connection reset before anything was done", cut("before")),
    "cut-after": _struggles("upgrade created, connection reset", cut("after")),
    "cut-status": _polled("connection reset at two status calls", cut("before"), cut("after")),
    "drip": _struggles("upgrade created, its answer drips for ever", drip()),
    "endless": _struggles("upgrade created, its answer never ends", endless()),
    "endless-status": _polled("the answer to a status call never ends", endless()),
    "redirected": _struggles("307 once, nothing done", redirect()),
    "location-missing": _struggles(
        "202 with a status body and no Location", location(None, '{"id": "{id}", "status": "InProgress"}')
    ),
    "location-absolute": _struggles("202, Location an absolute URL", location("{api}/v1/ProductUpgrades/{id}/status")),
    "location-slash": _struggles("202, Location with a leading slash", location("/productUpgrades/{id}")),
    "location-elsewhere": _struggles("202, Location on a host of others", location("https://example.net/{id}")),
    "location-garbage": _struggles("202, Location without an id", location("productUpgrades/not-an-id")),
    "empty-accept": _struggles("200, nothing else; upgrade created", answer(200, acts=True)),
    "html-accept": _struggles(
        "200 with an HTML page; upgrade created", answer(200, HTML, text="<p>Welcome</p>", acts=True)
    ),
    "html-refusal": _struggles("403 from a proxy, with an HTML page", answer(403, HTML, text="<p>Blocked</p>")),
    "unknown-status-words": _polled(
        "status words of no list, then completed",
        *map(status_word, ("Provisioning", "NotCompleted", "", None, 7, ["Completed"], {"status": "Completed"})),
    ),
    "garbled-status": _polled(
        "status answers that make no sense, then completed",
        answer(200, text='{"id": "{id}", "status": "Comp'),
        answer(200, {"Content-Length": "4096"}, text='{"status": "Completed"'),
        answer(200, {"Content-Encoding": "gzip"}, text="no gzip"),
        answer(200, text="null"),
        answer(200, text="\ufeffnot JSON"),
        answer(200, text='{"id": null, "status": "InProgress", "lineItems": [null], "errorDetails": null}'),
    ),
    "not-found-at-first": _polled("404 900106 to the first two status calls", times(2, refuse(404, 900106))),
    "lost-upgrade": _polled("the upgrade vanishes (404 for good); a new one is accepted", vanish()),
    "lost-twice": _polled("the upgrade vanishes, and the next one too", times(2, vanish())),
}

NAMED: Mapping[str, Scenario] = {**_COURSES, **_REFUSALS, **_STRUGGLES}
