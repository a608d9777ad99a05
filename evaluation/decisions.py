"""The log of past decisions that a policy is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Decisions:
    """n past decisions and the m pairs that could have been chosen in them, the chosen ones among them.

    Attributes:
        reward: (n,) what came of the choice, such as 1 for a lead won.
        propensity: (n,) probability with which the choice was made; NaN unknown.
        chosen: (n,) position of the pair that was chosen.
        cluster: (n,) code of what hangs together, such as all offers of one lead.
        decision: (m,) decision of each pair, ascending.
        target: (m,) probability with which the judged policy chooses the pair; sums to at most 1 in a
            decision: the rest is nobody, who brings nothing.
        features: (m, p) what a reward may depend on, as known at the decision; NaN missing.
    """

    reward: Floats
    propensity: Floats
    chosen: Integers
    cluster: Integers
    decision: Integers
    target: Floats
    features: Floats

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def known(self) -> Any:
        """(n,) whether the propensity is known."""
        return np.isfinite(self.propensity) & (self.propensity > 0)

    def weights(self) -> Floats:
        """(n,) how much likelier the policy makes the choice than the log did; 0 where that is unknown."""
        known = self.known
        return np.where(known, self.target[self.chosen] / np.where(known, self.propensity, 1.0), 0.0)
