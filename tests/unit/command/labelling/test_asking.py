"""One answer after the other: what keys do."""

from __future__ import annotations

import pytest
from support.run_documents import RUN_ID, record

from pytest_pitcheval.command.labelling import keyboard
from pytest_pitcheval.command.labelling.asking import Asking, Scale
from pytest_pitcheval.command.labelling.lot import Chosen, answers, draw


class Typist:
    """Presses keys, and looks at each screen; then nobody is there any more."""

    is_plain = True
    size = (79, 12)

    def __init__(self, *keys: str) -> None:
        self._keys = list(keys)
        self.screens: list[str] = []

    def key(self) -> str:
        return self._keys.pop(0) if self._keys else keyboard.END

    def writable(self, text: str) -> str:
        return text

    def show(self, text: str) -> None:
        self.screens.append(text)


class Book:
    """What was written down: labels by example."""

    def __init__(self) -> None:
        self.labels: dict[str, float] = {}

    def keep(self, chosen: Chosen, value: float) -> None:
        assert chosen.answer.key.example not in self.labels
        self.labels[chosen.answer.key.example] = value

    def take_back(self, chosen: Chosen) -> None:
        del self.labels[chosen.answer.key.example]


def ask(*keys: str, count: int = 4, grades: int | None = None) -> tuple[dict[str, float], list[str], int]:
    """What was said by example, the screens, and how many labels were told to be there."""
    records = [
        record(f"e{n}", inputs={"question": "\n".join(f"line {line}" for line in range(40))}) for n in range(count)
    ]
    chosen = draw(list(answers(records, RUN_ID, lambda one: one, None)), None, 0, near=False)
    book, typist = Book(), Typist(*keys)
    asking = Asking(chosen, Scale.of("good", grades), "Ana", book.keep, book.take_back)
    asking.run(typist)
    assert len(book.labels) == asking.labelled
    order = [one.answer.key.example for one in chosen]
    return {str(order.index(name)): value for name, value in book.labels.items()}, typist.screens, asking.labelled


@pytest.mark.parametrize(
    ("keys", "labels"),
    [
        ("ynyn", {"0": 1, "1": 0, "2": 1, "3": 0}),
        ("YN", {"0": 1, "1": 0}),
        ("sy", {"1": 1}),
        ("yuny", {"0": 0, "1": 1}),
        ("yyuu", {}),
        ("suy", {"0": 1}),
        ("uuy", {"0": 1}),
        ("yqn", {"0": 1}),
        ("xy5y", {"0": 1, "1": 1}),
        ("yyyyun", {"0": 1, "1": 1, "2": 1, "3": 0}),
        ("yyyyyy", {"0": 1, "1": 1, "2": 1, "3": 1}),
        ("ssssy", {}),
        ("", {}),
    ],
)
def test_keys(keys: str, labels: dict[str, float]) -> None:
    assert ask(*keys)[0] == labels


def test_grades_are_from_0_to_1() -> None:
    assert ask(*"1359", grades=5)[0] == {"0": 0, "1": 0.5, "2": 1}
    assert ask(*"1y2", grades=2)[0] == {"0": 0, "1": 1}
    assert "good?  1 worst to 5 best  s skip  u undo  q stop" in ask("1", grades=5)[1][0]


def test_what_the_screens_say() -> None:
    _, screens, labelled = ask("y", "x", "s", "u", "y", "y", "y", keyboard.ENTER)
    assert screens[0].startswith("1 of 4, 0 labelled by Ana\n")
    assert screens[0].endswith("\n\ngood?  y yes  n no  s skip  u undo  q stop (saved)")
    assert screens[1].startswith("2 of 4, 1 labelled by Ana\n")
    assert "'x' is none of the keys below" in screens[2]
    assert screens[3].startswith("3 of 4, 1 labelled by Ana\n")
    assert "That was the last: 4 labelled, 0 skipped." in screens[-1]
    assert (labelled, len(screens)) == (4, 8)
    assert "nothing to undo" in ask("u")[1][1]


def test_a_long_answer_is_paged_and_the_next_one_begins_at_its_top() -> None:
    _, screens, _ = ask(" ", "b", "b", keyboard.DOWN, "j", keyboard.UP, *[" "] * 9, "k", "y", keyboard.PAGE_DOWN)
    first = [next(line for line in screen.split("\n") if "line " in line) for screen in screens]
    numbers = [int(line.split()[1]) for line in first if line.startswith("  line")]
    assert numbers[:7] == [0, 6, 0, 0, 0, 1, 0]
    assert max(numbers) <= 40
    assert numbers[-2:] == [0, 6]


def test_a_screen_is_drawn_anew_in_its_new_size() -> None:
    assert len(ask(keyboard.REDRAW, "y")[1]) == 3
