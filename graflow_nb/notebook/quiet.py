"""A shell of its own for a notebook's cells, beside whatever shell there is; what cells display is not shown."""

from __future__ import annotations

import atexit
import builtins
import sys
from typing import Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


class _Silent(DisplayPublisher):
    """Shows nothing: outputs of tasks are kept with the tasks."""

    def publish(self, *args: Any, **kwargs: Any) -> None:
        """Let it go."""


def quiet_shell() -> InteractiveShell:
    """Return a new shell that keeps no history, and leaves the process as it was."""
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    config.HistoryAccessor.enabled = False
    before = {name: getattr(sys, name) for name in ("excepthook", "displayhook", "stdout", "stderr")}
    main, display = sys.modules.get("__main__"), getattr(builtins, "display", None)
    shell = InteractiveShell(config=config, colors="nocolor")
    publisher: Any = _Silent
    shell.display_pub = publisher(parent=shell)
    hook: Any = shell.displayhook
    hook.write_output_prompt = hook.write_format_data = _nothing
    atexit.unregister(shell.atexit_operations)
    for name, value in before.items():
        setattr(sys, name, value)
    if main is not None:
        sys.modules["__main__"] = main
    if display is None:
        vars(builtins).pop("display", None)
    return shell


def _nothing(*_: Any, **__: Any) -> None:
    """Write nothing."""
