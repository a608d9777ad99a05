"""The exception tree: every error says what was given, what is allowed and what to do next.

PartnerIntelError
├── ConfigError            partnerintel.yaml cannot be used                     exit 2
├── DataError              a table, column or file cannot be used               exit 3
│   └── MissingDataError   a capability lacks the table or column it needs
├── InputError             a request or a row is not acceptable                 exit 4
├── NotFoundError          no such partner, model, decision or version          exit 5
├── NotEnoughEvidenceError too little history or labels to answer honestly      exit 6
├── PromotionRefusedError  the gate says no; `refusals` say why                 exit 7
├── PromotionConflictError another promotion came first                         exit 8
└── BundleError            a model artifact is damaged or not ours              exit 9
"""

from __future__ import annotations

from collections.abc import Sequence


class PartnerIntelError(Exception):
    """Root of all errors a user may see.

    Args:
        message: What happened, with the value given.
        allowed: What would have been acceptable, in words.
        next_step: What the user can do now.
        pointer: JSON pointer or `table.column` of the culprit, when there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, allowed: str = "", next_step: str = "", pointer: str = "") -> None:
        self.message, self.allowed, self.next_step, self.pointer = message, allowed, next_step, pointer
        parts = [message]
        if allowed:
            parts.append(f"Allowed: {allowed}.")
        if next_step:
            parts.append(next_step)
        super().__init__(" ".join(parts))


class ConfigError(PartnerIntelError):
    """partnerintel.yaml cannot be used."""

    exit_code = 2


class DataError(PartnerIntelError):
    """A table, column or file cannot be used."""

    exit_code = 3


class MissingDataError(DataError):
    """A capability lacks the table or column it needs."""


class InputError(PartnerIntelError):
    """A request or a row is not acceptable."""

    exit_code = 4


class NotFoundError(PartnerIntelError):
    """No such partner, model, decision or version."""

    exit_code = 5


class NotEnoughEvidenceError(PartnerIntelError):
    """Too little history or too few labels to answer honestly."""

    exit_code = 6


class PromotionRefusedError(PartnerIntelError):
    """The gate says no.

    Args:
        message: The verdict.
        refusals: (code, message) pairs, one for each check that failed.
    """

    exit_code = 7

    def __init__(self, message: str, *, refusals: Sequence[tuple[str, str]]) -> None:
        super().__init__(message, next_step="Mend the cause, or an admin may override with --reason.")
        self.refusals = tuple(refusals)


class PromotionConflictError(PartnerIntelError):
    """The champion is no longer the one the caller expected: another promotion came first."""

    exit_code = 8


class BundleError(PartnerIntelError):
    """A model artifact is damaged, incomplete or was not built here."""

    exit_code = 9
