"""The sub-commands of ``%flow`` that write files: a report, an export, a proposal."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.notebook.document.source import Document
    from graflow_nb.notebook.session import Session

_REMOVES = re.compile(r"^\s*%(gra)?flow\s+(remove|reset)\b.*$", re.MULTILINE)


class Papers:
    """What `graflow_nb.notebook.magics.FlowMagics` has for files."""

    shell: InteractiveShell
    _session: Session

    def _report(self, options: Namespace) -> None:
        from graflow_nb.notebook.document.write import check_free, write_whole
        from graflow_nb.notebook.reports import report_of

        flow = self._session.flow
        if flow.last_run is None:
            raise UsageError("%flow report: there is nothing to report before the first %flow run")
        path = Path(options.file)
        check_free(path, force=options.force)
        write_whole(path, report_of(flow.last_run, title=flow.name))
        print(f"wrote {path}")

    def _export(self, options: Namespace) -> None:
        from graflow_nb.notebook.document.export import PICTURES, check_ending, exported
        from graflow_nb.notebook.document.write import check_free, write_whole

        path = Path(options.file)
        check_ending(path)
        check_free(path, force=options.force)
        if form := PICTURES.get(path.suffix):
            write_whole(path, getattr(self._session.flow, f"to_{form}")())
        else:
            write_whole(path, exported(self._document(), path))
        print(f"wrote {path}")

    def _suggest(self, options: Namespace) -> None:
        from graflow_nb.notebook.adopt.suggest import propose
        from graflow_nb.notebook.adopt.text import proposal_text
        from graflow_nb.notebook.document.convert import to_notebook
        from graflow_nb.notebook.document.write import check_new, write_whole

        document = self._session.log.document(self._session.flow.name)
        if not document.cells:
            raise UsageError("%flow suggest: run the notebook's cells first, after %load_ext graflow_nb")
        path = Path(options.output) if options.output else None
        if path is not None:
            check_new(path, Path(f"{document.name}.ipynb"), force=options.force)
        proposal = propose(document)
        print(proposal_text(proposal, cells=path is None))
        if path is not None:
            write_whole(path, to_notebook(proposal.cells))
            print(f"\nwrote {path}")

    def _document(self) -> Document:
        """Return the cells that ran, without tasks that were taken away since."""
        from graflow_nb.notebook.document.cell import Kind, read_cells
        from graflow_nb.notebook.document.source import Document

        flow = self._session.flow
        there = self._session.log.document(flow.name)
        cells = [replace(cell, source=_REMOVES.sub("", cell.source)) for cell in there.cells]
        document = Document(there.name, tuple(cells))
        gone = {
            cell.number
            for cell in read_cells(document.code)
            if cell.kind is Kind.TASK and cell.tasks[0] not in flow.graph
        }
        return Document(document.name, tuple(raw for raw in document.cells if raw.number not in gone))
