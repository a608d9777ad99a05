"""The strongest reference there is without the truth: a general search over many kinds of model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import ConfigError
from evaluation.references import known_labels
from evaluation.resampling import Floats
from training.dataset import Dataset, entity_codes
from training.evidence import gather
from training.splits import Split

KINDS = ["lgbm", "rf", "extra_tree", "lrl1"]
FOLDS = 5


def searched_ceiling(dataset: Dataset, split: Split, *, seconds: float, seed: int) -> tuple[Floats, str]:
    """Probabilities for the test rows from FLAML's search, and the kind of model it chose.

    It sees the training rows and columns that the candidate saw, folds by partner, and nothing of the test.
    It asks for no explanation, no direction and no calibration, which is why it is a reference and not the
    product. How far it comes in `seconds` depends on the machine: the figure is not reproducible.

    Args:
        dataset: Rows with yes/no labels.
        split: One test date.
        seconds: Time of the search.
        seed: Seed.

    Raises:
        ConfigError: The `bench` extra is not installed.

    Source: Wang, Wu, Weimer, Zhu, "FLAML: A Fast and Lightweight AutoML Library", MLSys 2021.
    """
    import pandas as pd

    try:
        from flaml.automl.automl import AutoML
    except ImportError as missing:
        raise ConfigError(
            "A searched ceiling needs FLAML, which is not installed. Install the extra: "
            "pip install 'partnerintel[bench]', or leave --ceiling out."
        ) from missing
    rows, y = known_labels(dataset, split)
    encoder = gather(dataset, rows, known_by=split.refit_known_by).encoder

    def frame(of: NDArray[np.int64]) -> Any:
        """As a frame, since only there are gaps filled for the models that cannot have any."""
        return pd.DataFrame(encoder.encode(dataset.rows(of))).add_prefix("c")

    search = AutoML()
    search.fit(
        X_train=frame(rows),
        y_train=y.astype(np.int64),
        task="classification",
        metric="log_loss",
        time_budget=seconds,
        estimator_list=KINDS,
        eval_method="cv",
        n_splits=FOLDS,
        split_type="group",
        groups=entity_codes(dataset, rows),
        n_jobs=1,
        seed=seed,
        verbose=0,
    )
    found = search.predict_proba(frame(split.test))[:, 1]
    return np.asarray(found, dtype=float), str(search.best_estimator)
