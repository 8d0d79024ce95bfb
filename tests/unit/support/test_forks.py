from __future__ import annotations

import os

import pytest
from support import forks

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


def test_what_it_returns_there() -> None:
    here = os.getpid()
    assert forks.is_true_in_a_fork(lambda: os.getpid() != here)
    assert not forks.is_true_in_a_fork(lambda: os.getpid() == here)


@pytest.mark.parametrize("error", [ZeroDivisionError("there"), KeyboardInterrupt(), SystemExit(0)])
def test_what_it_raises_ends_there(error: BaseException) -> None:
    def work() -> None:
        raise error

    assert not forks.is_true_in_a_fork(work)


def test_one_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "PATIENCE", 0.2)
    read, write = os.pipe()
    with pytest.raises(TimeoutError, match="did not end"):
        forks.is_true_in_a_fork(lambda: os.read(read, 1))
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)
