"""``graflow-nb suggest``: an ordinary notebook's cells as tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.cli.codes import DONE
from graflow_nb.notebook.adopt.suggest import propose
from graflow_nb.notebook.adopt.text import proposal_text
from graflow_nb.notebook.document.convert import to_notebook
from graflow_nb.notebook.document.source import read_document
from graflow_nb.notebook.document.write import check_new, write_whole

if TYPE_CHECKING:
    import argparse


def suggest(options: argparse.Namespace) -> int:
    """Print a proposal, or write it as a new notebook."""
    if options.output is not None:
        check_new(options.output, options.notebook, force=options.force)
    proposal = propose(read_document(options.notebook))
    print(proposal_text(proposal, cells=options.output is None))
    if options.output is not None:
        write_whole(options.output, to_notebook(proposal.cells))
        print(f"\nwrote {options.output}")
    return DONE
