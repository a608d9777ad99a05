"""What a search may turn: a few numbers, bounded so that trees stay shallow and explanations cheap."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from models.boosting import BoostParams


@dataclass(frozen=True)
class Params:
    """Settings of a fit. Row counts are effective ones: overlapping label windows count once.

    Attributes:
        rounds: Trees.
        learning_rate: Shrinkage of each tree.
        max_depth: Depth of trees, at most 5: explaining costs grow with depth, AUC does not.
        min_rows: Least effective rows in a leaf.
        l2: Ridge on leaf values, per effective row.
        feature_share: Share of columns tried for a tree: correlated windows take turns.
        linear_penalty: Ridge of the linear part, in nats.
    """

    rounds: int = 200
    learning_rate: float = 0.03
    max_depth: int = 3
    min_rows: float = 20.0
    l2: float = 5.0
    feature_share: float = 0.3
    linear_penalty: float = 100.0

    def boost(self, weight: float) -> BoostParams:
        """Parameters of the trees, for rows of which each is `weight` of a row's news."""
        return BoostParams(
            trees=max(self.rounds, 1),
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            num_leaves=2**self.max_depth,
            min_data_in_leaf=max(1, round(self.min_rows / weight)),
            lambda_l2=self.l2 / weight,
            feature_fraction=self.feature_share,
            bagging_fraction=1.0,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for the bundle and the tracker."""
        return asdict(self)
