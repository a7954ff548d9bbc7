"""The figures that a task leaves open."""

from __future__ import annotations

import sys
import threading

PYPLOT_TABLE = "matplotlib._pylab_helpers"
RENDERING = threading.RLock()
"""Matplotlib draws one figure at a time: its font and text caches are shared."""


def show_figures() -> None:
    """Display the figures that the running task left open, and close them."""
    helpers = sys.modules.get(PYPLOT_TABLE)
    if helpers is None or not len(helpers.Gcf.figs):
        return
    from IPython.display import display

    for manager in list(helpers.Gcf.get_all_fig_managers()):
        with RENDERING:
            display(manager.canvas.figure)
        helpers.Gcf.destroy(manager)
