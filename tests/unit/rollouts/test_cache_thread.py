from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_pitcheval.rollouts.cache_thread import CacheThread


def test_all_work_is_done_in_one_thread_and_comes_back() -> None:
    keeper = CacheThread()
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: keeper.do(lambda: (n, threading.get_ident())), range(50)))
    keeper.close()
    assert [n for n, _ in done] == list(range(50))
    [thread] = {thread for _, thread in done}
    assert thread != threading.get_ident()


def test_what_is_raised_is_raised_for_the_caller() -> None:
    keeper = CacheThread()
    with pytest.raises(ZeroDivisionError):
        keeper.do(lambda: 1 / 0)
    keeper.close()


def test_once_it_is_closed_the_caller_works() -> None:
    keeper = CacheThread()
    keeper.do(lambda: None)
    keeper.close()
    assert keeper.do(threading.get_ident) == threading.get_ident()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_in_a_forked_process_the_caller_works() -> None:
    keeper = CacheThread()
    keeper.do(lambda: None)
    child = os.fork()
    if not child:
        os._exit(0 if keeper.do(threading.get_ident) == threading.get_ident() else 1)
    _, status = os.waitpid(child, 0)
    keeper.close()
    assert status == 0
