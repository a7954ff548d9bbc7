"""Changes in what tasks say to each other and to their run: channels, maps, conditions, jumps, groups, workflows inside."""

from __future__ import annotations

from dataclasses import replace

from traps.trap import Trap, grouped, same


def ours(group: str, *traps: Trap) -> list[Trap]:
    """Return traps that no cache of functions can be asked."""
    return [replace(trap, is_general=False) for trap in grouped(group, *traps)]


def _channel(write: str, read: str, setup: str = "") -> str:
    return (
        f"from graflow_nb import context\n{setup}\n# %%\n@task\ndef data():\n    {write}\n"
        f"# %%\n@task\ndef target():\n    return {read}\n# %%\n_wired = data >> target"
    )


_SET = "context.channel.set('k', [1])"
_GET = "context.channel.get('k')"
_HELPER = "def helper():\n    return context.channel.get('k')"
_JOIN = (
    "@task\ndef size():\n    return 5\n"
    "# %%\n@task(when=lambda size: size > 3)\ndef large(size):\n    return 'large'\n"
    "# %%\n@task\ndef target(size, large='none'):\n    return size, large\n"
    "# %%\n_wired = (size | large) >> target"
)
_MAP = (
    "@task\ndef items():\n    return [1, 2]\n# %%\nK = 1\n# %%\ndef helper(x):\n    return x + K\n"
    "# %%\n@task\ndef one(x):\n    return helper(x)\n# %%\nones = one.map(x=items, name='ones')\n"
    "# %%\n@task\ndef target(ones):\n    return ones"
)
_NEXT = (
    "from graflow_nb import TaskWrapper, context\n# %%\nK = 1\n# %%\n@task\ndef first():\n"
    "    context.next_task(TaskWrapper('born', lambda: context.channel.set('k', K)))\n    return 'asked'\n"
    "# %%\n@task(cache=False)\ndef target():\n    return context.channel.get('k')\n# %%\n_wired = first >> target"
)
_AGAIN = (
    "from graflow_nb import context\n# %%\nMOST = 3\n# %%\n@task\ndef target(number=0):\n    if number < MOST:\n"
    "        context.next_iteration(number + 1)\n    return number"
)
_GROUP = (
    "from graflow_nb import best_effort\n# %%\n@task\ndef good():\n    return 1\n# %%\n@task\ndef bad():\n"
    "    raise ValueError('one')\n# %%\n_both = (good | bad).named('both').with_policy(best_effort)\n"
    "# %%\n@task\ndef target(both):\n    return [getattr(each, 'error', each).__class__.__name__ for each in both], str(both[1])\n"
    "# %%\n_wired = _both >> target"
)
_INNER = (
    "from graflow_nb import workflow\n# %%\nK = 1\n# %%\nwith workflow('inner') as inner:\n\n"
    "    @task\n    def deep(number):\n        return number + K\n"
    "# %%\n@task\ndef number():\n    return 10\n# %%\n@task\ndef target(inner):\n    return inner\n"
    "# %%\n_wired = number >> inner >> target"
)
_RESULT = (
    "from graflow_nb import context\n# %%\n@task\ndef data():\n    return [1]\n"
    "# %%\n@task\ndef target():\n    return context.get_result('data')\n# %%\n_wired = data >> target"
)

CHANNELS = ours(
    "channels",
    Trap(name="value that another task sets", cells=_channel(_SET, _GET), edit=("[1]", "[2]")),
    Trap(name="read by a helper", cells=_channel(_SET, "helper()", _HELPER), edit=("[1]", "[2]")),
    Trap(name="appended", cells=_channel("context.channel.append('k', 1)", _GET), edit=("'k', 1", "'k', 2")),
    Trap(name="added", cells=_channel("context.channel.atomic_add('k', 1)", _GET), edit=("'k', 1", "'k', 2")),
    Trap(name="keys", cells=_channel(_SET, "context.channel.keys()"), edit=("'k'", "'other'")),
    Trap(name="whether there is one", cells=_channel(_SET, "context.channel.exists('k')"), edit=("set('k'", "set('l'")),
    Trap(
        name="written no more",
        cells=_channel(_SET, "context.channel.get('k', 'none')"),
        edit=(_SET, "pass"),
    ),
    Trap(
        name="written by one that is reused",
        cells=_channel(_SET, f"{_GET} + [5]"),
        edit=("[5]", "[6]"),
    ),
    Trap(name="result that is asked for", cells=_RESULT, edit=("[1]", "[2]")),
    Trap(name="name of the result that is asked for is computed", cells=_RESULT.replace("'data'", "'da' + 'ta'"), edit=("[1]", "[2]")),
)  # fmt: skip

MAPS = ours(
    "maps",
    Trap(name="items", cells=_MAP, edit=("[1, 2]", "[1, 3]")),
    Trap(name="one more item", cells=_MAP, edit=("[1, 2]", "[1, 2, 3]")),
    Trap(name="order of items", cells=_MAP, edit=("[1, 2]", "[2, 1]")),
    Trap(name="type of an item", cells=_MAP, edit=("[1, 2]", "[True, 2]"), differs=False),
    Trap(name="no item", cells=_MAP, edit=("[1, 2]", "[]")),
    Trap(name="what is done with each", cells=_MAP, edit=("return helper(x)", "return -helper(x)")),
    Trap(name="global behind a helper", cells=_MAP, edit=("K = 1", "K = 2")),
    Trap(
        name="items that are written out", cells=_MAP.replace("x=items", "x=[1, 2]"), edit=("x=[1, 2]", "x=[1, 4]")
    ),
)

CONDITIONS = ours(
    "conditions",
    Trap(name="what it reads", cells=_JOIN, edit=("return 5", "return 2")),
    Trap(name="the condition itself", cells=_JOIN, edit=("size > 3", "size > 9")),
    Trap(name="what it guards", cells=_JOIN, edit=("'large'", "'very large'")),
    Trap(
        name="global that it reads",
        cells="LEAST = 3\n# %%\n" + _JOIN.replace("size > 3", "size > LEAST"),
        edit=("LEAST = 3", "LEAST = 9"),
    ),
    Trap(
        name="--when of a cell",
        cells="%%task size\n5\n# %%\n%%task large --when \"size > 3\"\n'large'\n# %%\n@task\ndef target(large='none'):\n    return large\n# %%\n_wired = large >> target",
        edit=("size > 3", "size > 9"),
    ),
)  # fmt: skip

DYNAMIC = ours(
    "work born in the run",
    Trap(name="what a born task reads", cells=_NEXT, edit=("K = 1", "K = 2")),
    Trap(name="what a born task does", cells=_NEXT, edit=("('k', K)", "('k', -K)")),
    Trap(name="born no more", cells=_NEXT, edit=("    context.next_task", "    _ = 0 and context.next_task")),
    Trap(name="nothing changed, and it is done again", cells=_NEXT, differs=False, runs=True),
    Trap(name="how often it iterates", cells=_AGAIN, edit=("MOST = 3", "MOST = 5")),
)

GROUPS = ours(
    "groups and workflows inside",
    Trap(name="how a member fails", cells=_GROUP, edit=("'one'", "'two'")),
    Trap(name="a member fails no more", cells=_GROUP, edit=("raise ValueError('one')", "return 2")),
    Trap(name="a member's result", cells=_GROUP, edit=("return 1", "return 'text'")),
    Trap(name="a task inside", cells=_INNER, edit=("number + K", "number - K")),
    Trap(name="a global that a task inside reads", cells=_INNER, edit=("K = 1", "K = 2")),
    Trap(name="what a workflow inside is handed", cells=_INNER, edit=("return 10", "return 20")),
)

SAME_FLOWS = ours(
    "flows, nothing that counts changed",
    same("another key of the channel", _channel(f"{_SET}; context.channel.set('l', 1)", _GET), edit=("'l', 1", "'l', 2"), reruns=frozenset({"data"})),
    same("the same value, written otherwise", _channel(_SET, _GET), edit=("[1]", "list((1,))"), reruns=frozenset({"data"})),
    same("a result that is asked for", _RESULT),
    same("a map", _MAP),
    same("a map of the same items", _MAP, edit=("[1, 2]", "[0 + 1, 2]"), reruns=frozenset({"items"})),
    same("a condition that still holds", _JOIN, edit=("size > 3", "size > 4"), reruns=frozenset({"large"})),
    same("iterations", _AGAIN),
    same("a workflow inside", _INNER),
    same("every cell again, a workflow inside", _INNER, re_execute=True),
    same("every cell again, a map", _MAP, re_execute=True),
    same("every cell again, a condition", _JOIN, re_execute=True),
)  # fmt: skip
