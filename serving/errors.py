"""What serving adds to the exception tree."""

from __future__ import annotations

from data.errors import PartnerIntelError


class UnavailableError(PartnerIntelError):
    """The service cannot answer this now, and says why; trying again later may help."""


class ConflictError(PartnerIntelError):
    """Another request came first, or what is asked does not fit the state it would change."""
