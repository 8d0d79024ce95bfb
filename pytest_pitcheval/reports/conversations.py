"""Conversations, agents' steps and tool calls among the plain values of a record, as what they are.

They are known by their shape, so that run files of earlier versions show them too: ``dspy.History`` and chat messages,
the trajectories of DSPy's agents, ``dspy.ToolCalls`` and those of providers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pytest_pitcheval.results import formats
from pytest_pitcheval.results.media import is_medium, with_notes

Kind = Literal["turns", "steps", "calls"]

Part = tuple[str, Any]
"""Something that was said or done, under its name: who said it, or ``thought``, ``tool``, ``arguments``, ``result``."""

TOOL, ARGUMENTS, RESULT, ERROR = "tool", "arguments", "result", "error"

_STEP = {
    "thought": "thought",
    "tool_name": TOOL,
    "tool_args": ARGUMENTS,
    "observation": RESULT,
    "generated_code": "code",
    "code_output": "output",
}
"""What DSPy's agents call the parts of their steps; ReAct and CodeAct number them: ``thought_0``, ``tool_name_0``."""

_NUMBERED = re.compile(rf"({'|'.join(_STEP)})_(\d+)")
_REPL = {"reasoning": "thought", "code": "code", "output": "output"}
"""A step of ``dspy.RLM``."""
_AVATAR = {"tool_name": TOOL, "tool_input_query": ARGUMENTS, "tool_output": RESULT}
"""A step of ``dspy.Avatar``."""

_OF_CHAT = frozenset({"content", "tool_calls"})
_OF_TRANSPORT = frozenset({"role", "content", "id", "call_id", "tool_call_id", "type"})
"""Fields of a chat message that are not shown as such."""

_ROLES = frozenset({"system", "developer", "user", "human", "assistant", "ai", "model", "tool", "function"})
"""Who speaks in a chat; other lists may have a ``role`` too, of people say."""

_TRACEBACK = re.compile(r"\s*Traceback \(most recent call last\):\n(?:\s.*\n)*")


class Conversation(NamedTuple):
    """``entries`` are the turns, steps or calls, each with its parts in order."""

    kind: Kind
    entries: tuple[tuple[Part, ...], ...]

    @property
    def acts(self) -> bool:
        """Whether tools are called or code is run in it."""
        return any(name in (TOOL, "code") for entry in self.entries for name, _ in entry)


def conversation(value: Any) -> Conversation | None:
    """``value``, a plain one, as a conversation; None for what is none."""
    if not isinstance(value, (dict, list)) or not value:
        return None
    if messages := _messages(value):
        return Conversation("turns", tuple(tuple(_of_message(message)) for message in messages))
    if steps := _steps(value):
        return Conversation("steps", tuple(steps))
    if calls := _calls(value):
        return Conversation("calls", tuple(calls))
    return None


def _messages(value: Any) -> list[Mapping[str, Any]] | None:
    """Those of a ``dspy.History``, or of a chat; None for anything else."""
    if isinstance(value, dict):
        messages = value["messages"] if list(value) == ["messages"] else None
        return messages if isinstance(messages, list) and _are_mappings(messages) else None
    said = _are_mappings(value) and all(one.get("role") in _ROLES and _OF_CHAT & set(one) for one in value)
    return value if said else None


def _of_message(message: Mapping[str, Any]) -> Iterator[Part]:
    role, content = message.get("role"), _content(message.get("content"))
    if isinstance(role, str) and content is not None:
        yield role, content
    for name, value in message.items():
        if isinstance(role, str) and name in _OF_TRANSPORT:
            continue
        calls = _calls({name: value} if name == "tool_calls" and isinstance(value, list) else value)
        if calls is not None:
            yield from (part for call in calls for part in call)
        else:
            yield _STEP.get(name.removeprefix("next_"), name), value


def _content(content: Any) -> Any:
    """The text of a message; of what is in parts, that of the texts, with the kinds of the others in brackets."""
    if isinstance(content, list) and _are_mappings(content):
        return "\n".join(str(one.get("text") or f"[{one.get('type', 'part')}]") for one in content)
    return None if content == "" else content


def _steps(value: Any) -> list[tuple[Part, ...]] | None:
    if isinstance(value, list):
        return _alike(value, _REPL, {"code", "output"}) or _alike(value, _AVATAR, set(_AVATAR))
    found = [(_NUMBERED.fullmatch(name), part) for name, part in value.items()]
    numbered = [(int(match[2]), _STEP[match[1]], part) for match, part in found if match]
    if len(numbered) < len(found):
        return None
    numbers = sorted({number for number, _, _ in numbered})
    return [tuple((name, part) for at, name, part in numbered if at == number) for number in numbers]


def _alike(value: list[Any], names: Mapping[str, str], needed: set[str]) -> list[tuple[Part, ...]] | None:
    """The entries of a list, each of which has what is ``needed`` and nothing but ``names``."""
    if not _are_mappings(value) or not all(needed <= set(one) <= set(names) for one in value):
        return None
    return [tuple((names[name], part) for name, part in one.items() if part != "") for one in value]


def _calls(value: Any) -> list[tuple[Part, ...]] | None:
    """Tool calls, each with its result where that is known; None for anything else."""
    results: list[Any] = []
    if isinstance(value, dict) and {"tool_calls"} <= set(value) <= {"tool_calls", "tool_call_results"}:
        found = value.get("tool_call_results")
        found = found.get("tool_call_results") if isinstance(found, dict) else found
        results, value = found if isinstance(found, list) and _are_mappings(found) else [], value["tool_calls"]
    elif not (isinstance(value, list) and _are_mappings(value) and all("function" in one for one in value)):
        return None
    calls = [_call(one) for one in value] if isinstance(value, list) else [None]
    if not calls or None in calls:
        return None
    known = results if len(results) == len(calls) else [{}] * len(calls)
    return [(*call, *_result(result)) for call, result in zip(calls, known, strict=True) if call]


def _call(value: Any) -> tuple[Part, ...] | None:
    if not isinstance(value, dict):
        return None
    about = value["function"] if isinstance(value.get("function"), dict) else value
    if not isinstance(about.get("name"), str):
        return None
    arguments = about.get("args", about.get("arguments"))
    return (TOOL, about["name"]), (ARGUMENTS, _parsed(arguments) if isinstance(arguments, str) else arguments or {})


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _result(result: Mapping[str, Any]) -> Iterator[Part]:
    if "value" in result:
        yield ERROR if result.get("is_error") else RESULT, result["value"]


def _are_mappings(values: Any) -> bool:
    return bool(values) and all(isinstance(one, dict) and all(isinstance(name, str) for name in one) for one in values)


# As text


def text_of(value: Any) -> str:
    """A plain value on a line: texts as they are, conversations by their last entry, anything else as JSON."""
    if isinstance(value, str):
        return value
    if (found := conversation(value)) is None:
        return _json(value)
    last = ", ".join(f"{name}: {text}" for name, text in _told(found.entries[-1]))
    return f"{formats.count(len(found.entries), found.kind[:-1])}, the last: {last}"


def lines(found: Conversation) -> list[str]:
    """All of it: entries are numbered, and each part has its name before it."""
    told = [list(_told(entry)) for entry in found.entries]
    width = max((len(name) for entry in told for name, _ in entry), default=0)
    digits = len(str(len(told)))
    shown = []
    for number, entry in enumerate(told, 1):
        for position, (name, text) in enumerate(entry):
            head = f"{number if not position else '':>{digits}} {name:<{width}} "
            shown += f"{head}{text}".replace("\n", "\n" + " " * len(head)).split("\n")
    return shown


def last_steps(found: Conversation, most: int) -> list[str]:
    """The last steps of an agent in at most ``most`` lines: what it thought, then what it did and what came of it."""
    steps = [list(_short(entry)) for entry in found.entries]
    kept: list[tuple[int, list[str]]] = []
    for number in range(len(steps), 0, -1):
        step = steps[number - 1]
        room = most - sum(len(lines) for _, lines in kept) - (number > 1)
        if len(step) > room and kept:
            break
        kept.insert(0, (number, step[-max(room, 1) :]))
    first, digits = kept[0][0], len(str(len(steps)))
    shown = [f"({formats.count(first - 1, 'step')} before)"] if first > 1 else []
    for number, step in kept:
        shown += [f"{number if not at else '':>{digits}} {line}" for at, line in enumerate(step)]
    return shown


def _told(entry: Iterable[Part]) -> Iterator[tuple[str, str]]:
    """The parts as text; a tool has its arguments with it."""
    parts = list(entry)
    for position, (name, value) in enumerate(parts):
        if name == TOOL and parts[position + 1 : position + 2] and parts[position + 1][0] == ARGUMENTS:
            yield name, _call_text(value, parts[position + 1][1])
        elif name != ARGUMENTS or position == 0 or parts[position - 1][0] != TOOL:
            yield name, value if isinstance(value, str) else _json(value)


def _call_text(tool: Any, arguments: Any) -> str:
    if not isinstance(arguments, dict):
        return f"{tool}({_json(arguments)})"
    return f"{tool}({', '.join(f'{name}={_json(value)}' for name, value in arguments.items())})"


def _json(value: Any) -> str:
    """Anything as JSON; of a picture, what it is."""
    found = with_notes(value)
    return found if is_medium(value) else json.dumps(found, ensure_ascii=False)


def _short(entry: Sequence[Part]) -> Iterator[str]:
    """The lines of one step: a result stands behind what it came of, an error without its traceback."""
    line = ""
    for name, text in _told(entry):
        if name in (RESULT, ERROR, "output") and line:
            yield f"{line} -> {_one_line(text)}"
            line = ""
            continue
        if line:
            yield line
        line = _one_line(text) if name in (TOOL, "thought", "code") else f"{name}: {_one_line(text)}"
    if line:
        yield line


def _one_line(text: str) -> str:
    return " ".join(_TRACEBACK.sub(" ", text).split())
