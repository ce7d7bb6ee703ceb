"""Forests of decision trees: scikit-learn's, behind the interface of every inverse model."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyinv.errors import InputError
from polyinv.models.base import InverseModel, check_seed
from polyinv.models.options import MOST_TREES, check
from polyinv.runtime.spreadsheets import write_csv
from polyinv.runtime.threads import MOST_THREADS

if TYPE_CHECKING:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.tree._tree import Tree
    from torch import Tensor

    from polyinv.data.datamodule import RecipeDataModule
    from polyinv.data.rows import Rows

SPACE = {
    "n_estimators": [100, 200, 500],
    "max_depth": [None, 10, 20, 30],
    "min_samples_split": [2, 5, 10],
    "min_samples_leaf": [1, 2, 4],
}
"""The published search space."""
CANDIDATES = 20
FOLDS = 3

log = logging.getLogger(__name__)


class RandomForest(InverseModel):
    """Random forest on all four targets at once, as in the published study.

    Trees split on the summed variance of the targets, which are standardized first so that time does not outweigh all
    others. It fits on training and validation rows together: nothing is chosen on the validation rows.

    Args:
        n_estimators: Number of trees.
        max_depth: Depth limit of a tree; none grows until the leaves are pure.
        min_samples_split: Rows a node needs to be split.
        min_samples_leaf: Rows a leaf keeps at least.
        search: Choose the four values above by the published random search (20 candidates, 3 folds); the folds keep
            reactions together if the split does.
        jobs: Threads, 1000 at most; -1 takes all cores. The result does not depend on it.
        seed: Of the bootstrap samples and of the search.
    """

    name = "forest"
    parallel_option = "jobs"
    length_option = "n_estimators"
    estimator = "RandomForestRegressor"

    def __init__(
        self,
        *,
        n_estimators: int = 500,
        max_depth: int | None = None,
        min_samples_split: int = 2,
        min_samples_leaf: int = 1,
        search: bool = False,
        jobs: int = -1,
        seed: int = 42,
    ) -> None:
        threads = f"1 to {MOST_THREADS} threads, or -1 for all cores"
        check("jobs", [jobs], threads, lambda value: value != 0 and value <= MOST_THREADS)
        check_seed(seed)
        least = {"n_estimators": 1, "max_depth": 1, "min_samples_split": 2, "min_samples_leaf": 1}
        given = dict(zip(least, (n_estimators, max_depth, min_samples_split, min_samples_leaf), strict=True))
        for option, value in given.items():
            if value is not None and value < least[option]:
                raise InputError(f"model.{option} is {value}; needs {least[option]} or more")
        check("n_estimators", [n_estimators], f"{MOST_TREES} at most", lambda value: value <= MOST_TREES)
        self.n_estimators, self.max_depth = n_estimators, max_depth
        self.min_samples_split, self.min_samples_leaf = min_samples_split, min_samples_leaf
        self.search, self.jobs, self.seed = search, jobs, seed

    def fit(self, data: "RecipeDataModule", folder: Path | None = None) -> None:
        """See `InverseModel.fit`; a search keeps the score of each finished candidate in ``folder/search.csv``."""
        data.setup("fit")
        self.columns, self._system = data.columns, data.system
        rows = data.training_and_validation()
        if self.search:
            chosen = self._best_candidate(rows, folder and folder / "search.csv")
            log.info("the search chose %s", chosen)
            vars(self).update(chosen)
        self._regressor = self._new().fit(rows.x.numpy(), rows.y.numpy())
        self._regressor.regressor_.n_jobs = 1  # threads add up the trees in any order, and sums differ in the last bit

    def predict_members(self, x: "Tensor") -> "Tensor":
        """See `InverseModel.predict_members`: the trees are one member."""
        import torch

        x = self._checked(x)
        return torch.from_numpy(self._regressor.predict(x.numpy()))[None]

    def impurity_importance(self) -> pd.Series:
        """Impurity importance: share of the decrease in variance by the splits on each column; they sum to one."""
        return pd.Series(self._regressor.regressor_.feature_importances_, index=list(self.columns))

    def _new(self, **candidate: Any) -> "TransformedTargetRegressor":
        import sklearn.ensemble
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.preprocessing import StandardScaler

        chosen = {key: getattr(self, key) for key in SPACE} | candidate
        forest = getattr(sklearn.ensemble, self.estimator)(**chosen, n_jobs=self.jobs, random_state=self.seed)
        return TransformedTargetRegressor(forest, transformer=StandardScaler(), check_inverse=False)

    def _best_candidate(self, rows: "Rows", kept: Path | None) -> dict[str, Any]:
        """Search the candidates of ``RandomizedSearchCV(n_iter=20, cv=3)`` one by one; a killed search goes on."""
        from sklearn.model_selection import GroupKFold, KFold, ParameterSampler, cross_val_score

        folds = KFold(FOLDS) if rows.groups is None else GroupKFold(FOLDS)
        scores = pd.read_csv(kept)["r2"].tolist() if kept and kept.is_file() else []
        candidates = list(ParameterSampler(SPACE, CANDIDATES, random_state=self.seed))
        for candidate in candidates[len(scores) :]:
            regressor = self._new(**candidate)
            r2 = cross_val_score(regressor, rows.x.numpy(), rows.y.numpy(), groups=rows.groups, cv=folds).mean()
            scores.append(float(r2))
            log.info("candidate %2d of %d: R² %.4f with %s", len(scores), CANDIDATES, r2, candidate)
            if kept:
                write_csv(pd.DataFrame(candidates[: len(scores)]).assign(r2=scores), kept)
        return candidates[scores.index(max(scores))]

    def _save(self, folder: Path) -> None:
        import zipfile

        import skops.io

        skops.io.dump(self._regressor, folder / "forest.skops", compression=zipfile.ZIP_DEFLATED, compresslevel=6)

    def _load(self, folder: Path) -> None:
        import skops.io

        self._regressor = skops.io.load(folder / "forest.skops", trusted=["sklearn.tree._tree.Tree"])
        if len(self._regressor.regressor_.estimators_) != self.n_estimators:
            raise ValueError("it has another number of trees than its options say")
        for tree in self._regressor.regressor_.estimators_:
            _check_tree(tree.tree_, len(self.columns), len(self.system.targets), folder)


class ExtraTrees(RandomForest):
    """Extremely randomized trees [Geurts et al. 2006]: thresholds are drawn at random instead of searched.

    A fifth of the price of the random forest and, with leaves of several rows, the better of the two.

    Args:
        n_estimators: Number of trees.
        max_depth: Depth limit of a tree; none grows until the leaves are as small as allowed.
        min_samples_split: Rows a node needs to be split.
        min_samples_leaf: Rows a leaf keeps at least.
        search: Choose the four values above by the published random search, see `RandomForest`.
        jobs: Threads; -1 takes all cores. The result does not depend on it.
        seed: Of the thresholds and of the search.
    """

    name = "trees"
    estimator = "ExtraTreesRegressor"

    def __init__(
        self,
        *,
        n_estimators: int = 500,
        max_depth: int | None = None,
        min_samples_split: int = 2,
        min_samples_leaf: int = 5,
        search: bool = False,
        jobs: int = -1,
        seed: int = 42,
    ) -> None:
        super().__init__(
            n_estimators=n_estimators,
            max_depth=max_depth,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            search=search,
            jobs=jobs,
            seed=seed,
        )


def _check_tree(tree: "Tree", features: int, targets: int, folder: Path) -> None:
    """Refuse indices out of bounds: scikit-learn follows them unchecked, which is why skops does not trust a tree."""
    is_split = tree.children_left != -1
    children = [tree.children_left[is_split], tree.children_right[is_split]]
    # Children come after their parent, so that a walk down the tree ends.
    down = all(((child > is_split.nonzero()[0]) & (child < tree.node_count)).all() for child in children)
    if not (down and (tree.feature[is_split] >= 0).all() and (tree.feature[is_split] < features).all()):
        raise InputError(f"{folder}: the forest is damaged: a tree points outside itself")
    if tree.value.shape != (tree.node_count, targets, 1) or tree.n_features != features:
        raise InputError(f"{folder}: the forest is damaged: a tree has answers of the shape {tree.value.shape}")
    if not (np.isfinite(tree.value).all() and np.isfinite(tree.threshold[is_split]).all()):
        raise InputError(f"{folder}: the forest is damaged: a tree holds what is no number")
