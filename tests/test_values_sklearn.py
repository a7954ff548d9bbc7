from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from graflow_nb.incremental.fingerprint import fingerprint

pytest.importorskip("sklearn")

from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import BallTree, KDTree, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X = np.random.default_rng(0).random((60, 3))
Y = (X[:, 0] > 0.5).astype(int)
ESTIMATORS = {
    "forest": lambda: RandomForestClassifier(3, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=2, random_state=0),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "neighbours": lambda: KNeighborsClassifier(algorithm="kd_tree"),
}


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_an_estimator_counts_by_what_it_learnt(make):
    fitted = make().fit(X, Y)
    before = fingerprint(fitted)
    assert fingerprint(make()) == fingerprint(make()) != before
    assert fingerprint(make().fit(X, Y)) == before != fingerprint(make().fit(X * 2 + 1, Y))
    fitted.predict(X)
    assert repr(fitted)
    assert fitted._repr_html_()
    assert fingerprint(fitted) == before
    assert fingerprint(copy.deepcopy(fitted)) == before == fingerprint(pickle.loads(pickle.dumps(fitted)))


@pytest.mark.parametrize("kind", [KDTree, BallTree])
def test_asking_a_tree_is_no_change(kind):
    tree = kind(X, leaf_size=2)
    before = fingerprint(tree)
    tree.query(X[:5], k=3, breadth_first=True)
    assert fingerprint(tree) == before != fingerprint(kind(X * 2, leaf_size=2))
    assert (
        len(
            {
                fingerprint(kind(X, leaf_size=2)),
                fingerprint(kind(X, leaf_size=3)),
                fingerprint(kind(X, 2, metric="manhattan")),
            }
        )
        == 3
    )
