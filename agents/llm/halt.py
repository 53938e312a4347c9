"""Why a run sends no further call."""

from __future__ import annotations


class Halt(Exception):  # noqa: N818 - a stop, not a fault
    """No further call is sent. Calls under way end first, and what has ended is in the journal: the run can be resumed."""


class EndpointRefuses(Halt):
    """It is plain that no call can succeed (a refused key, an unknown model, no quota, no server)."""
