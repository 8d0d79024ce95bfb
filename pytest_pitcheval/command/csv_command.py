"""What ``pitcheval show --csv`` does: a run file in, a table for spreadsheets out."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from pytest_pitcheval import files, outputs
from pytest_pitcheval.command import named_runs
from pytest_pitcheval.command.named_runs import Printed
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.reports import spreadsheet
from pytest_pitcheval.results import formats
from pytest_pitcheval.settings.settings import Settings

_STANDARD_OUTPUT = "/dev/stdout"


def write_table(settings: Settings, reference: str, test: str | None, output: str) -> Printed:
    """Write the tests of a run, those with ``test`` in their node ID, to the file ``output``; ``-`` prints them.

    A file begins with a byte order mark, for Excel; what goes through a pipe is read by programs, and has none.
    """
    run = named_runs.find(settings, reference)
    tests = run.outcome.collected if test is None else named_runs.matching(run, test)
    path = Path(_STANDARD_OUTPUT if output == "-" else output)
    is_special = outputs.is_special(path)
    rows = list(spreadsheet.table(run, tests))
    try:
        files.write_output(path, rows if is_special else itertools.chain([spreadsheet.MARK], rows))
    except BrokenPipeError:  # who reads has seen enough
        return [], True
    except OSError as error:
        raise PitchevalError(f"--csv: {output!r}: the table could not be written: {error}") from None
    told = f"table: {os.path.relpath(path)}: {formats.count(len(rows) - 1, 'row')}"
    return [] if outputs.descriptor(path) is not None else [(told, False)], True
