"""A debugger that goes on at once, for runs with ``--pdb``."""

from __future__ import annotations

import pdb
from typing import Any


class GoesOn(pdb.Pdb):
    """It prints a word, and goes on."""

    def interaction(self, *args: Any, **kwargs: Any) -> None:
        print("PDB was here")
        self.set_continue()
