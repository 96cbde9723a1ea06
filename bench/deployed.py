"""The app's settings as they are deployed: with the local cloud's own, a minute in a second, less would be cached."""

from collections.abc import Mapping

from local.cloud import DELAYS
from shared.settings import Settings

DEFAULTS: Mapping[str, str] = {
    name: str(getattr(Settings, name.lower())) for name in DELAYS if hasattr(Settings, name.lower())
}
