"""What goes wrong with steps."""

from __future__ import annotations

from graflow_nb.core.errors import GraflowError


class StepError(GraflowError):
    """A step failed, or cannot run as it is written.

    Attributes
    ----------
    path : str
        Where the step is: ``fulfillment/parallel/update_crm``.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path
