"""``graflow-nb export``: a flow as a script, a notebook, or a picture."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from graflow_nb.cli.codes import DONE, FAILED, CommandError
from graflow_nb.cli.program import Program
from graflow_nb.notebook.document.export import PICTURES, check_ending, exported
from graflow_nb.notebook.document.source import read_document
from graflow_nb.notebook.document.write import check_free, write_whole

if TYPE_CHECKING:
    import argparse


def export(options: argparse.Namespace) -> int:
    """Write a document's flow in another form. A picture shows what is up to date, so it takes a kernel."""
    check_ending(options.file)
    check_free(options.file, force=options.force)
    if options.file.suffix in PICTURES:
        _picture(options)
    else:
        write_whole(options.file, exported(read_document(options.notebook), options.file))
    print(f"wrote {options.file}")
    return DONE


def _picture(options: argparse.Namespace) -> None:
    from graflow_nb.notebook.errors import CellFailed

    with Program(options.notebook, flow=options.flow, is_quiet=True) as program:
        try:
            for line in program.define({}, is_dry=True):
                print(line, file=sys.stderr)
            program.ask("picture", form=PICTURES[options.file.suffix], file=str(options.file.resolve()))
        except CellFailed as failed:
            raise CommandError(f"{failed}\n{failed.plain}", FAILED) from None
