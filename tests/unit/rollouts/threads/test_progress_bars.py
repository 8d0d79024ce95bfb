"""Progress bars in several threads."""

from __future__ import annotations

import contextlib
import io
import threading

import tqdm

from pytest_pitcheval.rollouts.threads.progress_bars import kept_apart


def test_a_bar_is_not_forgotten_by_another_thread() -> None:
    """As DSPy does it: forget all bars, then make one, disabled or not."""
    before = tqdm.tqdm._instances
    with kept_apart():
        bar = tqdm.tqdm(total=3, file=io.StringIO())
        tqdm.tqdm._instances.clear()
        assert bar in tqdm.tqdm._instances
        bar.close()
        assert bar not in tqdm.tqdm._instances
        tqdm.tqdm(total=3, disable=True)
    assert tqdm.tqdm._instances is before


def test_many_threads_make_and_forget_bars() -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(200):
                tqdm.tqdm._instances.clear()
                with tqdm.tqdm(total=1, disable=bool(number % 2), file=io.StringIO()) as bar:
                    bar.update()
        except BaseException as error:
            errors.append(error)

    with kept_apart():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


def test_what_somebody_else_puts_there_meanwhile_stays() -> None:
    before, others = tqdm.tqdm._instances, type(tqdm.tqdm._instances)()
    with contextlib.ExitStack() as stack:
        stack.enter_context(kept_apart())
        tqdm.tqdm._instances = others
    assert tqdm.tqdm._instances is others
    tqdm.tqdm._instances = before
