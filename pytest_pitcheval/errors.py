"""The one exception of the plugin, so that callers can tell our complaints from anybody else's."""

from __future__ import annotations


class PitchevalError(Exception):
    """Something the user can mend; the message is one line that says what and how.

    It names the option, marker or fixture, the value it was given, and what was expected.
    """
