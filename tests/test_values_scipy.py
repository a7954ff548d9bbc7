from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from graflow_nb.incremental.fingerprint import fingerprint, measured

sparse = pytest.importorskip("scipy.sparse")

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
DENSE = np.array([[1.0, 0, 2], [0, 0, 3], [4, 0, 0]])
KINDS = {"array": sparse.csr_array, "matrix": sparse.csr_matrix}


def made(kind, form, dense=DENSE):
    return KINDS[kind](dense).asformat(form)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_content_counts_and_reading_does_not(kind, form):
    value = made(kind, form)
    before = fingerprint(value)
    assert value.sum() == 10
    assert value.T.shape == (3, 3)
    assert np.array_equal((value @ value).toarray(), DENSE @ DENSE)
    assert repr(value)
    assert value.nnz == 4 or form in {"bsr", "dia"}
    assert getattr(value, "has_sorted_indices", True)
    assert fingerprint(value) == before == fingerprint(made(kind, form))
    assert fingerprint(copy.deepcopy(value)) == before == fingerprint(pickle.loads(pickle.dumps(value)))
    for other in (DENSE * 2, DENSE.T, DENSE[:2], DENSE.astype(np.float32)):
        assert fingerprint(made(kind, form, other)) != before


def test_formats_and_kinds_differ():
    assert len({fingerprint(made(kind, form)) for kind in KINDS for form in FORMATS}) == len(KINDS) * len(FORMATS)


def test_the_order_of_writing_to_a_dictionary_of_keys_does_not_count():
    one, other = sparse.dok_array((2, 2)), sparse.dok_array((2, 2))
    one[0, 0] = one[1, 1] = 1
    other[1, 1] = other[0, 0] = 1
    assert fingerprint(one) == fingerprint(other)


def test_the_size_is_about_that_of_the_data():
    assert measured(sparse.eye_array(10_000, format="csr"))[1] == pytest.approx(160_000, rel=0.05)
