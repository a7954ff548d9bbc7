"""Names for tasks, from what their cells do."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_VERBS = (
    ("save", re.compile(r"^(to_(csv|excel|parquet|json|pickle|sql|feather)|dump|savefig|savetxt|save)$")),
    ("load", re.compile(r"^(read|load|fetch|open$|download|get_data|connect|urlopen|scan_)")),
    ("train", re.compile(r"^(fit|train|partial_fit|fit_transform)$")),
    ("predict", re.compile(r"^predict")),
    ("clean", re.compile(r"^(dropna|fillna|drop_duplicates|replace|interpolate)$")),
    ("join", re.compile(r"^(merge|join|concat)$")),
    ("split", re.compile(r"^train_test_split$")),
    ("plot", re.compile(r"^(plot|scatter|hist|bar|barh|boxplot|lineplot|heatmap|subplots|pairplot|imshow|show)")),
    ("summarise", re.compile(r"^(groupby|pivot_table|crosstab|value_counts|agg|describe|resample)$")),
)
_MAKERS = frozenset({"load", "train", "predict", "clean", "join", "split", "summarise"})


def task_name(source: str, defines: Sequence[str], reads: Sequence[str], taken: Collection[str]) -> str:
    """Propose a name for a task.

    Parameters
    ----------
    source : str
    defines : sequence of str
        The variables that it makes, what others read first.
    reads : sequence of str
        What it takes from other tasks.
    taken : collection of str
        Names that it cannot have.

    Examples
    --------
    >>> task_name("prices = pd.read_csv('p.csv')", ["prices"], [], {"prices"})
    'load_prices'
    >>> task_name("prices.plot()", [], ["prices"], {"prices"})
    'plot_prices'
    """
    verb = _verb(source, makes=bool(defines))
    about = re.sub(r"_\d+$", "", (defines or reads or ["results"])[0].strip("_"))
    if about.startswith(f"{verb}_") or about == verb:
        about = about.removeprefix(verb).strip("_")
    name = f"{verb}_{about}".strip("_")
    number, found = 1, name
    while found in taken or hasattr(builtins, found) or keyword.iskeyword(found):
        number += 1
        found = f"{name}_{number}"
    return found


def _verb(source: str, *, makes: bool) -> str:
    calls = [n.func for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    names = [f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "") for f in calls]
    for verb, pattern in _VERBS:
        if (not makes or verb in _MAKERS) and any(pattern.match(name) for name in names):
            return verb
    return "make" if makes else "show"
