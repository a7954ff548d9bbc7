"""A step as a task of the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Binding, Constant, Gathered, Upstream
from graflow_nb.core.task import Task
from graflow_nb.steps import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.core.options import Options
    from graflow_nb.core.task import Parameter
    from graflow_nb.steps.setting import Setting
    from graflow_nb.steps.step import Step

TRAIL = "<state>"
"""Among the variables that a step defines: the state after it. No variable can have this name."""


_NOTHING_SAID: dict[str, Any] = {"workflow_id": "", "user_context": {}, "metadata": {}, "initial_data": {}}


class StepTask(Task):
    """A step as a task of the engine.

    Attributes
    ----------
    step : Step
    setting : Setting
    path : str
    """

    __slots__ = ("_about", "_call", "_initial", "_known_at", "_options", "path", "setting", "step")

    def __init__(
        self,
        step: Step,
        setting: Setting,
        path: str,
        *,
        about: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = self.path = path
        self.step = step
        self.setting = setting
        self._options = step.options
        self._known_at = registry.version()
        self.defines = ()
        self.is_template = False
        self.record = self._parameters = self._flow = None
        self._about = about if about is not None else _NOTHING_SAID
        self._initial = initial
        self._call: Callable[..., Any] | None = None

    binds_itself = True

    @property
    def written(self) -> Callable[..., Any] | None:
        return self.step.written(self.setting)

    @property
    def fn(self) -> Callable[..., Any]:  # type: ignore[override]
        """What is called."""
        if self._call is None or self._known_at != registry.version():
            self._call = self.step.call(self.setting)
        return self._call

    @property
    def options(self) -> Options:
        """How it is run; another object if what is known by name has changed, so that it is bound anew."""
        if self._known_at != registry.version():
            self._known_at, self._options, self._call = registry.version(), replace(self._options), None
        return self._options

    @options.setter
    def options(self, options: Options) -> None:
        self._options, self._call = options, None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None: it takes the state after what is wired before it."""
        return ()

    def bind(self, *, name: str | None = None, **values: Any) -> Task:  # noqa: ARG002 - as for all
        raise TypeError(f"step {self.path!r} has no parameters to bind: give it args={{…}} or a params function")

    def own_binding(self, befores: Sequence[Task]) -> Binding:
        names = tuple((before.name, isinstance(before, StepTask)) for before in befores)
        states = [
            (f"the state after {before.name}", Upstream(before.name, TRAIL))
            if isinstance(before, StepTask)
            else (before.name, Gathered((before.name,)))
            for before in befores
        ]
        if not befores and self._initial is not None:
            names, states = (("", True),), [("the state", Constant(self._initial))]  # type: ignore[list-item]
        return self.binding(names, states)

    def binding(self, names: Sequence[tuple[str, bool]], states: Sequence[tuple[str, Any]]) -> Binding:
        """Return where its arguments come from; `names` and `states` are of what it comes after."""
        return Binding(
            (
                ("setting", Constant(self.setting)),
                ("about", Constant(self._about)),
                ("at", Constant((self.path, self.step.step_id))),
                ("spec", Constant(self.step.spec(self.setting, self.path))),
                ("names", Constant(tuple(names))),
                *states,
            )
        )

    @property
    def rescue(self) -> Task | None:
        handlers = self.setting.handlers
        if not handlers and not self.setting.general_handlers:
            return None
        if self.step.step_id not in handlers and not self.setting.general_handlers:
            return None
        from graflow_nb.steps.handlers import rescue_of

        return rescue_of(self)
