"""All policies, and what they say of a deployment."""

from tests.infra.complaints import Policy
from tests.infra.policies_access import ACCESS
from tests.infra.policies_alerts import ALERTS
from tests.infra.policies_grants import GRANTS
from tests.infra.policies_monitoring import MONITORING
from tests.infra.policies_platform import PLATFORM
from tests.infra.policies_settings import SETTINGS

POLICIES: tuple[Policy, ...] = (*ACCESS, *PLATFORM, *GRANTS, *SETTINGS, *ALERTS, *MONITORING)
