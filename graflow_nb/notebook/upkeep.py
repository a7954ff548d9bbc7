"""The sub-commands of ``%flow`` about parameters and kept results."""

from __future__ import annotations

import ast
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from graflow_nb.core.errors import did_you_mean
from graflow_nb.incremental.cache import Cache
from graflow_nb.notebook import answers, formats
from graflow_nb.notebook.arguments import CACHE_WORDS
from graflow_nb.views.text import Badge, human_bytes, human_seconds

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.notebook.session import Session

_SAME = Badge("✓", "as it was", "#15803d")
_LATE = Badge("↻", "out of date", "#b45309")
_DIFFERS = Badge("✗", "not the same", "#b91c1c")


class Upkeep:
    """What `graflow_nb.notebook.magics.FlowMagics` has beside the running and drawing of flows."""

    shell: InteractiveShell
    _session: Session

    def _impact(self, options: Namespace) -> None:
        flow = self._session.flow
        names = flow.impact(options.task)
        known = [seconds for seconds in names.values() if seconds is not None]
        took = f", which took {human_seconds(sum(known))}" if known else ""
        print(f"an edit of {options.task} runs {len(names)} of {len(flow.graph)} tasks{took}: {', '.join(names)}")
        print("What gets the same inputs in the end is reused all the same.")

    def _accept(self, options: Namespace) -> None:
        flow = self._session.flow
        name = flow[options.task].name
        before = flow.stale(flow.plan()).get(name)
        if before is None:
            print(f"{name}: there is nothing to accept, it is up to date")
            return
        flow.accept(name)
        print(f"{name}: its result is kept as it is, although {'; '.join(map(str, before))}")

    def _verify(self, options: Namespace) -> None:
        flow = self._session.flow
        stale = flow.stale(flow.plan())
        found = flow.verify(*options.tasks)
        looks = {name: _LATE if name in stale else _DIFFERS if found[name] else _SAME for name in found}
        rows = [(name, looks[name], "; ".join(differs)) for name, differs in found.items()]
        ran = [look for look in looks.values() if look is not _LATE]
        others = ran.count(_DIFFERS)
        result = f"{others} not as they were" if others else "all as they were"
        title = (
            f"{len(ran)} run again and compared: {result}"
            if ran
            else "nothing here is up to date: %flow run first"
        )
        answers.show_table(self.shell, title, ("task", "result", "where"), rows)

    def _param(self, options: Namespace) -> None:
        flow = self._session.flow
        if options.name is None:
            for name, value in flow.params.items():
                print(f"{name} = {value!r}")
            if not flow.params:
                print("this flow has no parameters: %flow param NAME VALUE makes one")
            return
        if options.value is None:
            print(f"{options.name} = {flow.param(options.name).value!r}")
            return
        if not options.name.isidentifier() or iskeyword(options.name):
            raise UsageError(f"%flow param: {options.name!r} cannot be a name: tasks take the parameter by it")
        present = self.shell.user_ns.get(options.name)
        task = flow.param(
            options.name,
            parsed(options.value),
            min=options.min,
            max=options.max,
            step=options.step,
            choices=options.choices and [parsed(choice) for choice in options.choices],
        )
        if present is not task and present is not None:
            self.shell.user_ns[f"{options.name}_before"] = present
            print(f"{options.name} is a parameter now; the variable it replaces is kept as {options.name}_before")
        self.shell.user_ns[options.name] = task
        print(f"{task.name} = {task.value!r} · {formats.stale_words(flow.stale(flow.plan()))}")

    def _auto(self, options: Namespace) -> None:
        flow, live = self._session.flow, self._session.live
        if options.switch is not None:
            live.set_auto(flow, on=options.switch == "on")
        what = "on: what is out of date runs by itself" if live.auto(flow) else "off"
        print(f"auto is {what}")

    def _seed(self, options: Namespace) -> None:
        flow = self._session.flow
        if options.seed is not None:
            flow.seed = None if options.seed == "off" else options.seed
        is_set = flow.seed is not None
        print(f"seed = {flow.seed}" if is_set else "this flow has no seed: context.rng differs in each run")

    def _cache(self, options: Namespace) -> None:
        flow, what = self._session.flow, options.what
        is_place = what in {"memory", "disk", "off"} or "/" in what or "\\" in what or what.startswith(".")
        if (is_place or what == "clear") and any(run.workflow is flow for run in self._session.going):
            raise UsageError("a run of this flow is going on in the background: wait for it, or %flow cancel")
        if is_place:
            self._session.keep_in(flow, what)
        elif what not in CACHE_WORDS:
            hint = did_you_mean(what, CACHE_WORDS)
            raise UsageError(f"%flow cache: {what!r} is no place. {hint} A folder is written ./{what}")
        cache = flow.services.cache
        if not isinstance(cache, Cache):
            print(f"{flow.name}: results are not kept (%flow cache memory keeps them)")
            return
        if what == "clear":
            cache.clear()
        elif what == "gc" and cache.store.disk is not None:
            cache.store.disk.gc()
        store = cache.store
        held = store.in_memory()
        print(f"{flow.name}: {len(held)} results in memory, {human_bytes(store.size)}")
        if store.disk is not None:
            there = store.disk.info()
            room = f"{human_bytes(there.bytes)} of at most {human_bytes(there.limit)}"
            print(f"{there.entries} results on disk in {_from_here(there.folder)}: {room}")
        for line in cache.take_said():
            print(line)


def _from_here(folder: Path) -> Path:
    """Return a folder as it is called from the current one, if it lies in it."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Return the values of ``NAME=VALUE``.

    Examples
    --------
    >>> assignments(["rate=0.5", "name=penguins"])
    {'rate': 0.5, 'name': 'penguins'}
    """
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals or not name.isidentifier():
            raise UsageError(f"--set takes NAME=VALUE, not {name + equals!r}")
    return {name: parsed(value) for name, _, value in pairs}


def parsed(text: str) -> Any:
    """Return a value as it is written in Python; anything else is a text.

    Examples
    --------
    >>> parsed("[1, 2]"), parsed("0.5"), parsed("data.csv")
    ([1, 2], 0.5, 'data.csv')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
