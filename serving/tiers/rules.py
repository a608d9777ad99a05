"""Which tier policy holds: the version in force, put there from the settings when there is none yet."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from data.errors import PromotionConflictError
from models.tiering.policy import TierPolicy, parse_policy, read_policy
from serving.policies import InForce, Policies

KIND = "tiers"


class TierRules:
    """Versions of the tier policy.

    Args:
        policies: Where policies are kept.
        named: File or template of the settings, for the first version.
        base: Folder files are relative to.
    """

    def __init__(self, policies: Policies, *, named: str, base: Path) -> None:
        self._policies, self._named, self._base = policies, named, base
        self._read: dict[int, TierPolicy] = {}

    def current(self, *, at: datetime) -> tuple[int, TierPolicy]:
        """Version and rules in force.

        Raises:
            ConfigError: There is none yet, and the one of the settings cannot be read.
        """
        found = self._policies.in_force(KIND)
        version = found.version if found else self._begin(at)
        return version, self.version(version)

    def version(self, version: int) -> TierPolicy:
        """The rules of a version; they never change.

        Raises:
            NotFoundError: There is none.
        """
        if version not in self._read:
            self._read[version] = parse_policy(self._policies.read(KIND, version).body)
        return self._read[version]

    def put(self, policy: TierPolicy, *, author: str, reason: str, at: datetime) -> int:
        """Keep rules as a new version and put it in force.

        Raises:
            PromotionConflictError: Somebody else changed it meanwhile.
        """
        before = self._policies.in_force(KIND)
        kept = self._policies.add(KIND, policy.name, policy.to_json(), author=author, at=at)
        new = InForce(kept.version)
        if new != before:
            self._policies.put_in_force(KIND, new, expected=before, author=author, reason=reason, at=at)
        return kept.version

    def _begin(self, at: datetime) -> int:
        policy = read_policy(self._named, base=self._base)
        try:
            return self.put(policy, author="settings", reason="the policy of partnerintel.yaml", at=at)
        except PromotionConflictError:
            found = self._policies.in_force(KIND)
            return found.version if found else 1
