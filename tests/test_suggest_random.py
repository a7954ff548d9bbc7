"""Random notebooks, as flows: they end with the values that they had as notebooks."""

from __future__ import annotations

import contextlib
import io

from hypothesis import given, settings
from hypothesis import strategies as st
from shells import new_notebook

from graflow_nb import GraflowError
from graflow_nb.notebook.adopt.suggest import propose
from graflow_nb.notebook.document.source import Document, RawCell

NUMBERS, LISTS = ("a", "b", "c"), ("p", "q")
FIRST = ("import random\nrandom.seed(1)", "a = 1 + 0", "b = a + 1", "c = b + 1", "p = [0 + a]", "q = [2 + 0, c]")
DEFINITIONS = "def f(x):\n    return x + len(p)\ndef g(x):\n    x.append(9)\ndef h():\n    global c\n    c = c + 1"
STATEMENTS = (
    "{x} = {k}",
    "{x} = {y} + {k}",
    "{x} += {k}",
    "{x} = {x} * 2",
    "{l} = [{x}, {k}]",
    "{l}.append({x})",
    "{l} = {m} + [{k}]",
    "{l} = {m}",
    "{l} = list({m})",
    "{l}[0] = {x}",
    "for i in range(2): {x} = {x} + i",
    "for i in {l}: {x} = i",
    "if {x} > 3: {y} = {k}",
    "{x} = sum({l})",
    "{x} = max([{y} for {y} in {l}])",
    "{x} = f({y})",
    "g({l})",
    "h()",
    "{x} = random.randint(0, 9)",
    "{x} = (lambda: {y} + 1)()",
    "print({x}, {l})",
    "{x}",
)
NAMES = st.fixed_dictionaries(
    {
        "x": st.sampled_from(NUMBERS),
        "y": st.sampled_from(NUMBERS),
        "l": st.sampled_from(LISTS),
        "m": st.sampled_from(LISTS),
        "k": st.integers(0, 5),
    }
)
STATEMENT = st.builds(lambda text, names: text.format(**names), st.sampled_from(STATEMENTS), NAMES)
CELLS = st.lists(st.lists(STATEMENT, min_size=1, max_size=3).map("\n".join), min_size=2, max_size=7)


def values(namespace):
    return {name: namespace.get(name) for name in (*NUMBERS, *LISTS)}


def document(cells):
    every = (*FIRST, DEFINITIONS, *cells)
    return Document("random", tuple(RawCell("code", cell, n) for n, cell in enumerate(every, 1)))


@settings(max_examples=60)
@given(CELLS)
def test_a_random_notebook_ends_with_the_same_values(cells):
    world = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for raw in document(cells).cells:
            exec(compile(raw.source, "cell", "exec"), world)
    try:
        proposal = propose(document(cells))
    except GraflowError:
        return  # nothing in it computes
    with new_notebook() as notebook:
        for cell in proposal.cells:
            notebook(cell.source)
        assert values(notebook.ns) == values(world), "\n# %%\n".join(cell.source for cell in proposal.cells)
