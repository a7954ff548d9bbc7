from __future__ import annotations

import copy
import pickle
import warnings

import pytest

from graflow_nb.incremental.fingerprint import Opaque, fingerprint, measured

torch = pytest.importorskip("torch")

TENSORS = {
    "float": torch.arange(6.0),
    "shape": torch.arange(6.0).reshape(2, 3),
    "double": torch.arange(6.0, dtype=torch.float64),
    "half": torch.arange(6.0, dtype=torch.bfloat16),
    "int": torch.arange(6),
    "bool": torch.tensor([True, False]),
    "complex": torch.tensor([1 + 2j]),
    "scalar": torch.tensor(1.5),
    "empty": torch.empty(0, 3),
    "gradient": torch.arange(6.0, requires_grad=True),
    "parameter": torch.nn.Parameter(torch.arange(6.0)),
    "sparse": torch.eye(3).to_sparse(),
    "dense": torch.eye(3),
}


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch: it is in beta state
    TENSORS["rows"] = torch.eye(3).to_sparse_csr()


def model(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(), torch.nn.Linear(3, 1))


def test_tensors_differ():
    assert len({fingerprint(tensor) for tensor in TENSORS.values()}) == len(TENSORS)


@pytest.mark.parametrize("name", TENSORS.keys() - {"rows"})
def test_a_copy_is_equal(name):
    tensor = TENSORS[name]
    assert (
        fingerprint(copy.deepcopy(tensor))
        == fingerprint(tensor)
        == fingerprint(pickle.loads(pickle.dumps(tensor)))
    )


@pytest.mark.parametrize("name", TENSORS.keys() - {"empty"})
def test_each_item_counts(name):
    changed = TENSORS[name].detach().clone()
    before = fingerprint(changed)
    (changed.values() if name == "rows" else changed._values() if name == "sparse" else changed).view(-1)[-1] = 0
    assert fingerprint(changed) != before or name == "bool"


def test_a_view_counts_by_what_it_shows():
    base = torch.arange(12.0).reshape(3, 4)
    assert fingerprint(base.T[1:]) == fingerprint(base.T[1:].contiguous())
    assert fingerprint(base[:, ::2]) == fingerprint(base[:, ::2].clone())
    assert fingerprint(torch.tensor([1 + 2j]).conj()) == fingerprint(torch.tensor([1 - 2j]))


def test_a_tensor_in_the_midst_of_a_computation_is_opaque():
    with pytest.raises(Opaque, match="detach"):
        fingerprint(torch.ones(2, requires_grad=True) * 2)
    with pytest.raises(Opaque):
        fingerprint(torch.ones(2, device="meta"))


def test_a_model_counts_by_weights_and_mode():
    before = fingerprint(model())
    assert fingerprint(model()) == before != fingerprint(model(1))
    assert fingerprint(model().eval()) != before
    trained = model()
    with torch.no_grad():
        trained[0].weight[0, 0] += 1
    assert fingerprint(trained) != before


def test_using_a_model_changes_nothing():
    used = model().eval()
    before = fingerprint(used)
    used(torch.ones(1, 2))
    assert fingerprint(used) == before == fingerprint(pickle.loads(pickle.dumps(used)))


def test_an_optimizer_counts_with_its_state():
    def trained(steps):
        made = model()
        optimizer = torch.optim.Adam(made.parameters())
        torch.manual_seed(0)
        for _ in range(steps):
            optimizer.zero_grad()
            made(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        return made, optimizer

    assert fingerprint(trained(1)) == fingerprint(trained(1))
    assert len({fingerprint(trained(steps)) for steps in range(3)}) == 3


def test_generators_dtypes_and_devices():
    assert fingerprint(torch.Generator().manual_seed(1)) == fingerprint(torch.Generator().manual_seed(1))
    values = [
        torch.Generator().manual_seed(1),
        torch.Generator().manual_seed(2),
        torch.float32,
        torch.float64,
        torch.device("cpu"),
        torch.strided,
    ]
    assert len({fingerprint(value) for value in values}) == len(values)


def test_the_size_is_that_of_the_data():
    assert measured(torch.zeros(100_000))[1] == pytest.approx(400_000, rel=0.01)
