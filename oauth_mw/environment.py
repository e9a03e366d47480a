"""The variables that the command line reads. It may run in the environment of an app, whose options are there, too."""

from __future__ import annotations

STORE = "OAUTH_MW_STORE"  # an option, too
KEY_ENCRYPTION_SECRET = "OAUTH_MW_KEY_ENCRYPTION_SECRET"  # an option, too
AUDIT_LOG = "OAUTH_MW_AUDIT_LOG"
PASSWORDS = {"FROM": "OAUTH_MW_FROM_PASSWORD", "TO": "OAUTH_MW_TO_PASSWORD"}  # of the stores of ``store copy``
METRICS_TOKEN = "OAUTH_METRICS_TOKEN"
METRICS_CLIENT, METRICS_SECRET = "OAUTH_METRICS_CLIENT_ID", "OAUTH_METRICS_CLIENT_SECRET"
DOCTOR_CLIENT, DOCTOR_SECRET = "OAUTH_DOCTOR_CLIENT_ID", "OAUTH_DOCTOR_CLIENT_SECRET"

# Those that are no options.
OF_COMMANDS = frozenset(
    (AUDIT_LOG, *PASSWORDS.values(), METRICS_TOKEN, METRICS_CLIENT, METRICS_SECRET, DOCTOR_CLIENT, DOCTOR_SECRET)
)
