"""A workflow's pictures: asked for here, drawn above the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import GraflowError

if TYPE_CHECKING:
    from graflow_nb.core.services import Services


class Pictures:
    """The part of `graflow_nb.core.workflow.WorkflowContext` that shows it; all forms have one layout."""

    name: str
    services: Services

    def draw(self, *, direction: str = "LR", ax: Any = None) -> Any:
        """Draw the workflow with matplotlib, and return the axes.

        Parameters
        ----------
        direction : {"LR", "TB"}
            Whether edges point right or down.
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure.
        """
        return self._picture("plot", direction=direction, ax=ax)

    def to_svg(self, *, direction: str = "LR") -> str:
        """Return the workflow's picture as an SVG.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def one(): return 1
        >>> flow.to_svg()[:4]
        '<svg'
        """
        return str(self._picture("svg", direction=direction))

    def to_png(self, *, direction: str = "LR", dpi: int = 192) -> bytes:
        """Return the workflow's picture as the bytes of a PNG."""
        return bytes(self._picture("png", direction=direction, dpi=dpi))

    def to_mermaid(self, *, direction: str = "LR") -> str:
        """Return the workflow as a Mermaid flowchart, which code hosts draw in Markdown."""
        return str(self._picture("mermaid", direction=direction))

    def to_dot(self, *, direction: str = "LR") -> str:
        """Return the workflow as a graph in DOT, for Graphviz."""
        return str(self._picture("dot", direction=direction))

    def to_text(self) -> str:
        """Return the workflow as lines of text."""
        return str(self._picture("text"))

    def to_tree(self) -> str:
        """Return the workflow as a tree: below each task what waits for it, and in full where it is first."""
        return str(self._picture("tree"))

    def _picture(self, form: str, **options: Any) -> Any:
        if self.services.picture is None:
            raise GraflowError(f"workflow {self.name!r} was handed nothing to draw it with: set services.picture")
        return self.services.picture(self, form, **options)
