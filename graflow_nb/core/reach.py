"""What comes before what, over any number of edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def reach(names: Iterable[str], neighbours: Mapping[str, Iterable[str]]) -> set[str]:
    """Return all that is reached from some names, themselves left out unless another leads to them.

    Examples
    --------
    >>> sorted(reach(["c"], {"c": ["b"], "b": ["a"], "d": ["c"]}))
    ['a', 'b']
    """
    seen: set[str] = set()
    stack = list(names)
    while stack:
        for name in neighbours.get(stack.pop(), ()):
            if name not in seen:
                seen.add(name)
                stack.append(name)
    return seen


def followers(parents: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Return the same edges the other way: what comes after each name.

    Examples
    --------
    >>> followers({"b": ["a"], "c": ["a", "b"]})
    {'a': ['b', 'c'], 'b': ['c']}
    """
    after: dict[str, list[str]] = {}
    for name, befores in parents.items():
        for before in befores:
            after.setdefault(before, []).append(name)
    return after
