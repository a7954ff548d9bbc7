"""The first promise, by random edits: a run after an edit gives what running everything from scratch gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from shells import Notebook, new_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping

TASKS, HELPERS, GLOBALS = 4, 3, 2
NUMBERS = st.integers(0, 2)


@st.composite
def reads(draw: st.DrawFn, tasks: int, helpers: int) -> str:
    """Give an expression of what code may read: globals, helpers, and tasks defined before."""
    names = [f"g{i}" for i in range(GLOBALS)] + [f"h{i}()" for i in range(helpers)]
    names += [f"v{i}" for i in range(tasks)] + [f"t{i}" for i in range(tasks)]
    return ", ".join(draw(st.lists(st.sampled_from(names), max_size=3)))


@st.composite
def global_cell(draw: st.DrawFn, number: int) -> str:
    value = draw(st.sampled_from(["1", "2", "[1]", "{'a': 1}", "'1'", "1.0", "True"]))
    return f"g{number} = {value}"


@st.composite
def helper_cell(draw: st.DrawFn, number: int) -> str:
    # A helper may read variables of tasks, but not tasks: in a function those names stay the tasks.
    names = [f"g{i}" for i in range(GLOBALS)] + [f"h{i}()" for i in range(number)] + ["v0", "v1"]
    body = ", ".join(draw(st.lists(st.sampled_from(names), max_size=2)))
    expression = f"({draw(NUMBERS)}, [{body}])"
    name = f"h{number}"
    return draw(
        st.sampled_from(
            [
                f"def {name}(): return {expression}",
                f"# a comment\ndef {name}():\n    'Documented.'\n    return {expression}",
                f"{name} = lambda: {expression}",
                f"def _make(k):\n    def inner(): return k, {expression}\n    return inner\n{name} = _make({draw(NUMBERS)})",
                f"import functools\ndef _f(k): return k, {expression}\n{name} = functools.partial(_f, {draw(NUMBERS)})",
            ]
        )
    )


@st.composite
def task_cell(draw: st.DrawFn, number: int) -> str:
    values = f"[{draw(NUMBERS)}, {draw(reads(number, HELPERS if number > 1 else 1))}]"
    return draw(
        st.sampled_from(
            [
                f"%%task t{number}\nv{number} = {values}\nlen(v{number})",
                f"%%task t{number}\n\nv{number} = (\n    {values}  # spread\n)\nlen(v{number})",
                f"%%task t{number}\nv{number} = 'same'\n{values}",
                f"%%task t{number}\nif {draw(NUMBERS)}: v{number} = {values}\n'done'",
                f"%%task t{number}\nv{number} = 1 // {draw(NUMBERS)}, {values}",
                f"%%task t{number}\ndef _f(k): return k, {values}\nv{number} = [_f(k) for k in range({draw(NUMBERS)})]\nv{number}",
                f"@task\ndef t{number}(): return {draw(NUMBERS)}",
            ]
        )
    )


@st.composite
def books(draw: st.DrawFn) -> dict[str, str]:
    return {name: draw(cell) for name, cell in CELLS.items()}


CELLS = {
    **{f"g{i}": global_cell(i) for i in range(GLOBALS)},
    **{f"h{i}": helper_cell(i) for i in range(HELPERS)},
    **{f"t{i}": task_cell(i) for i in range(TASKS)},
}


def outcome(nb: Notebook) -> dict[str, object]:
    """Run the flow, and return what each task came to."""
    nb.try_("%flow run")
    run = nb.flow.last_run
    assert run is not None, nb.said
    return {
        name: (record.produced.value, dict(record.produced.variables)) if record.produced else type(record.error)
        for name, record in run.records.items()
    }


def from_scratch(book: Mapping[str, str]) -> dict[str, object]:
    with new_notebook() as nb:
        for cell, source in book.items():
            nb(source, cell=cell)
        return outcome(nb)


@settings(max_examples=25)
@given(
    books(),
    st.lists(st.sampled_from(sorted(CELLS)).flatmap(lambda c: st.tuples(st.just(c), CELLS[c])), max_size=4),
)
def test_a_run_after_edits_gives_what_running_from_scratch_gives(
    book: dict[str, str], edits: list[tuple[str, str]]
):
    stages = [dict(book)]
    with new_notebook() as nb:
        for cell, source in book.items():
            nb(source, cell=cell)
        seen = [outcome(nb)]
        for cell, source in edits:
            nb(source, cell=cell)
            stages.append({**stages[-1], cell: source})
            seen.append(outcome(nb))
            assert outcome(nb) == seen[-1]
    for stage, made in zip(stages, seen, strict=True):
        assert made == from_scratch(stage)
