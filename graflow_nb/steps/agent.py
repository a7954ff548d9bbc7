"""An agent: what a model is told, and what it can call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.steps.state import WorkflowContext


class Agent:
    """What a model is told, and what it can call. It costs nothing, and calls nobody, until a step runs it.

    Parameters
    ----------
    name : str
    instructions : str or callable
        What the model is told at first; or a function of the state that returns it.
    tools : sequence of callable, Tool or str
        What the model can call; tools of pydantic-ai, too. A text is the name of one that is known.
    model : str or object, optional
        As pydantic-ai takes it; "test" is its test model, which needs no network. By default the engine's, or
        that of the environment variable ``GRAFLOW_NB_MODEL``.
    output_type : type
        What it is to return; by default a text.
    settings : mapping, optional
        For the model, such as ``{"temperature": 0}``.
    retries : int, optional
        How often the model may try again when its output, or a call of a tool, is not as it has to be.
    **extra
        Anything else that should be known of it.
    """

    def __init__(
        self,
        name: str,
        instructions: str | Callable[[WorkflowContext], Any] | None = None,
        tools: Sequence[Any] = (),
        model: Any = None,
        *,
        output_type: Any = str,
        settings: Mapping[str, Any] | None = None,
        retries: int | None = None,
        **extra: Any,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"an agent's name is a text that is not empty, not {name!r}")
        if instructions is not None and not (isinstance(instructions, str) or callable(instructions)):
            raise TypeError(
                f"agent {name!r}: instructions are a text, or a function of the state, not {instructions!r}"
            )
        if settings is not None and not isinstance(settings, Mapping):
            raise TypeError(f"agent {name!r}: settings are a mapping, not {settings!r}")
        self.name = name
        self.instructions = instructions
        self.tools = [*tools]
        self.model = model
        self.output_type = output_type
        self.settings = dict(settings or {})
        self.retries = retries
        self.extra = extra

    def __repr__(self) -> str:
        return f"Agent({self.name!r})"
