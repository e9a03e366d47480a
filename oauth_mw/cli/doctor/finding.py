"""What a check finds."""

from __future__ import annotations

from typing import NamedTuple

CERTAIN, LIKELY, UNKNOWN, FINE = "certain", "likely", "cannot be told", "fine"


class Finding(NamedTuple):
    """
    :ivar check: what was checked.
    :ivar verdict: one of those above.
    :ivar evidence: what was seen, or why nothing can be told.
    :ivar fault: a key of :data:`~oauth_mw.cli.doctor.cures.FAULTS`; empty without a fault.
    """

    check: str
    verdict: str
    evidence: str
    fault: str = ""

    @property
    def is_fault(self) -> bool:
        return self.verdict in (CERTAIN, LIKELY)


def fine(check: str, evidence: str) -> Finding:
    return Finding(check, FINE, evidence)


def unknown(check: str, evidence: str) -> Finding:
    return Finding(check, UNKNOWN, evidence)
