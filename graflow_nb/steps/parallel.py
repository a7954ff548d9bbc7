"""A step that runs several side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from graflow_nb.core.errors import did_you_mean
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.logger import log
from graflow_nb.steps.state import are_same
from graflow_nb.steps.step import Step, check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.steps.calls import Ended, Scope

POLICIES = ("fail_on_any", "fail_fast", "continue_on_partial_failure", "ignore_failures")
_SHOWN = 3  # failures that a message spells out


class ParallelStep(Step):
    """A step that runs several side by side. Its output is a dict: what each of them returned, by its id.

    Each of them sees a state of its own; what they wrote is put together in their order when they have ended. If
    two
    wrote different values under one key, the last one counts, and the result's metadata names them ("conflicts").

    Parameters
    ----------
    step_id : str
    steps : sequence of Step
    wait_for_all : bool
        False: the first success is enough, and the others are cancelled.
    """

    def __init__(self, step_id: str, steps: Sequence[Step] = (), wait_for_all: bool = True) -> None:
        super().__init__(step_id)
        self.branches: list[Step] = []
        self.wait_for_all = wait_for_all
        self.policy = "fail_on_any"
        self.minimum: int | None = None
        for step in steps:
            self.add_branch(step)

    def add_branch(self, step: Step) -> Self:
        """Add a step to those that run side by side."""
        check(step, path=self.step_id, beside=self.branches)
        self.branches.append(step)
        return self

    def with_failure_policy(self, policy: str) -> Self:
        """Say what becomes of it when some of them fail.

        Parameters
        ----------
        policy : str
            "fail_on_any": it fails, when all have ended. "fail_fast": it fails at once, and the others are
            cancelled. "continue_on_partial_failure": it goes on if enough have succeeded
            (`with_minimum_success_count`, or one).
            "ignore_failures": it goes on.
        """
        if policy not in POLICIES:
            known = ", ".join(map(repr, POLICIES))
            raise ValueError(
                f"step {self.step_id!r}: there is no failure policy {policy!r}. There are: {known}. "
                f"{did_you_mean(str(policy), POLICIES)}"
            )
        self.policy = policy
        return self

    def with_minimum_success_count(self, count: int) -> Self:
        """Say how many of them must succeed, whatever the policy."""
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(f"step {self.step_id!r}: a minimum is a number, 0 or more, not {count!r}")
        self.minimum = count
        return self

    @property
    def steps(self) -> Sequence[Step]:
        return self.branches

    async def run(self, scope: Scope) -> Any:
        if self.minimum is not None and self.minimum > len(self.branches):
            raise StepError(
                f"step {scope.path!r} needs {self.minimum} successes, and has {len(self.branches)} steps in it: "
                f"with_minimum_success_count({len(self.branches)}) or less can hold",
                scope.path,
            )
        branches = [asyncio.ensure_future(scope.ask(step)) for step in self.branches]
        try:
            await self._wait(branches)
        finally:
            for branch in branches:
                branch.cancel()
            await asyncio.gather(*branches, return_exceptions=True)
        ended = {
            step.step_id: branch.result()
            for step, branch in zip(self.branches, branches, strict=True)
            if not branch.cancelled()
        }
        if not self.wait_for_all:
            ended = _first(ended)
        self._judge(scope, ended)
        self._merge(scope, ended)
        return {step_id: one.output for step_id, one in ended.items() if one.is_success}

    async def _wait(self, branches: Sequence[asyncio.Future[Ended]]) -> None:
        """Wait until nothing more can change."""
        pending: set[asyncio.Future[Ended]] = set(branches)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for ended in (branch.result() for branch in done):
                if ended.is_success and not self.wait_for_all:
                    return
                if self.policy == "fail_fast" and self.wait_for_all and not (ended.is_success or ended.is_skipped):
                    return

    def _judge(self, scope: Scope, ended: dict[str, Ended]) -> None:
        """Raise if too many have failed."""
        failed = [one for one in ended.values() if not (one.is_success or one.is_skipped)]
        succeeded = sum(one.is_success for one in ended.values())
        minimum = self.minimum
        if minimum is None:
            minimum = int(self.policy == "continue_on_partial_failure" and bool(failed))
        scope.metadata |= {"succeeded": succeeded, "failed": [one.path for one in failed]}
        if not self.wait_for_all:
            if failed and not succeeded:
                raise _failed(scope.path, f"none of {len(self.branches)} succeeded", failed)
            return
        if failed and self.policy in {"fail_on_any", "fail_fast"}:
            raise _failed(scope.path, f"{len(failed)} of {len(self.branches)} failed", failed)
        if succeeded < minimum:
            raise _failed(
                scope.path, f"{succeeded} of {len(self.branches)} succeeded, {minimum} are needed", failed
            )

    def _merge(self, scope: Scope, ended: dict[str, Ended]) -> None:
        """Put together what was written, in the steps' order."""
        writers: dict[str, list[str]] = {}
        conflicts: dict[str, list[str]] = {}
        for step_id, one in ended.items():
            state, written = one.trail["state"], one.trail["written"]
            for key in written:
                if key in writers and not are_same(state.get(key), scope.state.variables.get(key)):
                    conflicts[key] = [*writers[key], step_id]
                writers.setdefault(key, []).append(step_id)
            scope.absorb(one)
        if conflicts:
            scope.metadata["conflicts"] = conflicts
            for key, steps in conflicts.items():
                log.warning(
                    "step %s: %s wrote different values of %r; that of the last one counts",
                    scope.path,
                    " and ".join(steps),
                    key,
                    extra={"step_name": scope.step_id, "path": scope.path, "key": key, "writers": steps},
                )


def _first(ended: dict[str, Ended]) -> dict[str, Ended]:
    """Return the first success alone, of several that have ended; or all, if there is none."""
    for step_id, one in ended.items():
        if one.is_success:
            return {step_id: one}
    return ended


def _failed(path: str, why: str, failed: Sequence[Ended]) -> StepError:
    first = failed[0].error if failed else None
    told = "; ".join(str(one.error) for one in failed[:_SHOWN])
    more = f"; {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    error = StepError(
        f"step {path!r} failed: {why}{f': {told}{more}' if told else ''}", first.path if first else path
    )
    error.__cause__ = first
    return error
