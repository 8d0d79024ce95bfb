"""What a strict replay says of a call that is not recorded: which one comes nearest, and where it differs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_pitcheval.storage.answers.answer import Answer, Place

_AROUND = 24
"""Characters that are shown before and after what differs."""
_LONGEST = 60
"""Characters of what differs."""
_COMPARED = 2_000
"""Characters of a request that are compared to find the nearest one."""


def difference(place: Place, asked: Answer, recorded: Sequence[Answer], what: str) -> str:
    """One line: which test, what was asked, and the nearest of what is ``recorded`` of it."""
    who = f"{place.test}{f' (rollout {place.rollout + 1})' if place.rollout else ''}"
    if not recorded:
        return f"{what} is not recorded: no answers of {who}"
    of_kind = [answer for answer in recorded if answer.kind == asked.kind]
    same = [answer for answer in of_kind if answer.key.digest == asked.key.digest]
    if same:
        return f"{what} is not recorded so often: {who} asks the same once more than when it was recorded"
    nearest = _nearest(asked, of_kind)
    if nearest is None:
        return f"{what} is not recorded: nothing of its kind in {who}"
    return f"{what} is not recorded: {_marked(nearest.request, asked.request)}; nearest answer of {who}"


def _nearest(asked: Answer, recorded: Sequence[Answer]) -> Answer | None:
    text = _text(asked.request)
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(text)
    best: tuple[float, Answer] | None = None
    for answer in recorded:
        matcher.set_seq1(_text(answer.request))
        least = best[0] if best else -1.0
        if matcher.real_quick_ratio() > least and matcher.quick_ratio() > least:
            ratio = matcher.ratio()
            if ratio > least:
                best = ratio, answer
    return best[1] if best else None


def _text(request: Any) -> str:
    return json.dumps(request, ensure_ascii=False, sort_keys=True)[-_COMPARED:]


def _marked(recorded: Any, asked: Any) -> str:
    """``messages.1.content: "…capital of [-Chile-] {+Peru+}?…"``: the first that differs, and how many more do."""
    found = list(_differences(recorded, asked, ""))
    if not found:
        return "it differs in form alone"
    where, old, new = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{where} {_shown(old, new)}{more}"


def _differences(old: Any, new: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _differences(old.get(name), new.get(name), f"{where}.{name}" if where else name)
    elif isinstance(old, list) and isinstance(new, list):
        for number in range(max(len(old), len(new))):
            before, after = (one[number] if number < len(one) else None for one in (old, new))
            yield from _differences(before, after, f"{where}.{number}")
    elif old != new or type(old) is not type(new):
        yield where or "request", old, new


def _shown(old: Any, new: Any) -> str:
    if not (isinstance(old, str) and isinstance(new, str)):
        return f"[-{_short(_plain(old))}-]{{+{_short(_plain(new))}+}}"
    start, end = _common(old, new)
    before, after = old[max(start - _AROUND, 0) : start], old[len(old) - end :][:_AROUND]
    ours, theirs = old[start : len(old) - end], new[start : len(new) - end]
    left, right = "…" if start > _AROUND else "", "…" if end > _AROUND else ""
    return f'"{left}{before}[-{_short(ours)}-]{{+{_short(theirs)}+}}{after}{right}"'


def _common(old: str, new: str) -> tuple[int, int]:
    """How many characters are the same at the beginning and at the end, up to the next word."""
    least = min(len(old), len(new))
    start = next((place for place in range(least) if old[place] != new[place]), least)
    while start and not old[start - 1].isspace():
        start -= 1
    end = next((place for place in range(least - start) if old[-1 - place] != new[-1 - place]), least - start)
    while end and not old[len(old) - end].isspace():
        end -= 1
    return start, end


def _plain(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"
