"""The app's settings in a shorter time: what lasts a minute in the cloud lasts 10 s here."""

from collections.abc import Mapping

from bench.deployed import DEFAULTS
from shared.settings import Settings

FACTOR = 10 / 60
TICK_S = 10
# All that is a matter of minutes. How long connections and the platform's own calls may take stays.
_SCALED = (
    *("tick_budget_s", "lease_s", "call_deadline_s", "read_timeout_s", "first_poll_s", "max_poll_s", "gate_cache_s"),
    *("not_found_grace_s", "upgrade_deadline_h", "retry_first_s", "retry_max_s", "retry_after_max_s", "census_s"),
    *("refusal_first_s", "refusal_max_s"),
)
SCALED: Mapping[str, str] = {
    **DEFAULTS,
    **{name.upper(): f"{getattr(Settings, name) * FACTOR:g}" for name in _SCALED},
    "POLL_SCHEDULE": f"00:00:{TICK_S}",
}
