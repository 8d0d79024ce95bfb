"""Attributes of other libraries with the plugin's own in their place, for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def replaced(owner: Any, name: str, new: Any) -> Iterator[None]:
    """Within it, the attribute ``name`` of the module or class ``owner`` is ``new``.

    Where another library has wrapped ``new`` meanwhile, it stays below that: who calls it must then do nothing.
    """
    is_inherited, before = name not in vars(owner), vars(owner).get(name)
    setattr(owner, name, new)
    try:
        yield
    finally:
        if vars(owner).get(name) is new:
            if is_inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
