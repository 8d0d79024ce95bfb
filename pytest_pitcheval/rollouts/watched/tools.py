"""Calls of ``dspy.Tool`` while answers are kept in a file: kept by name and arguments, and taken in place of running.

What a tool itself asks, of an LM say, is kept as being within it: a replay that takes the tool's answer needs none of
it. DSPy's agents show the LM the traceback of what a tool raised; that text is kept, too: it names files and lines.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Awaitable, Callable, Collection, Iterator
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from dspy.adapters.types import tool as dspy_tool
from dspy.utils.callback import with_callbacks

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.rollouts.answers.tool_values import from_plain, to_plain
from pytest_pitcheval.rollouts.scopes import within
from pytest_pitcheval.rollouts.threads import branches
from pytest_pitcheval.rollouts.threads.replacing import replaced
from pytest_pitcheval.storage.answers.answer import TOOL, Place

if TYPE_CHECKING:
    from pytest_pitcheval.rollouts.answers.book import AnswerBook, Taken
    from pytest_pitcheval.rollouts.call_scopes import CallScopes

_MARK = "pitcheval_tool_call"
"""The attribute of what a tool raised that says which call of it did."""
_AGENTS = "dspy.predict."
"""What the modules begin with whose tools, such as ``finish``, are part of the program."""


class ToolCall(NamedTuple):
    """Whose call of a tool it is, and what is asked: the tool's name and its arguments, and in which branch."""

    place: Place | None
    request: dict[str, Any]


@contextlib.contextmanager
def kept(book: AnswerBook, scopes: CallScopes, live: Collection[str]) -> Iterator[None]:
    """Within it, tools are answered from ``book`` or kept there; those whose name fits one of ``live`` run anyway."""
    keeper = _Keeper(book, scopes, live)
    call = dspy_tool.ToolCalls.ToolCall
    places = [(dspy_tool.Tool, name) for name in ("__call__", "acall")]
    places += [(call, "execute")] if hasattr(call, "execute") else []
    with contextlib.ExitStack() as stack:
        for owner, name in [*places, (traceback, "format_exception")]:
            kept_one = getattr(keeper, f"of_{name.strip('_')}")
            stack.enter_context(replaced(owner, name, kept_one(getattr(owner, name))))
        try:
            yield
        finally:
            keeper.over = True


class _Keeper:
    def __init__(self, book: AnswerBook, scopes: CallScopes, live: Collection[str]) -> None:
        self._book = book
        self._scopes = scopes
        self._live = live
        self.over = False

    # What is put in place of DSPy's and Python's

    def of_call(self, call: Callable[..., Any]) -> Callable[..., Any]:
        call = getattr(call, "__wrapped__", call)

        @functools.wraps(call)
        def kept_call(tool: Any, **arguments: Any) -> Any:
            if self._passes(tool):
                return call(tool, **arguments)
            return self._done(str(tool.name), arguments, lambda: call(tool, **arguments), tool.func)

        return with_callbacks(kept_call)  # type: ignore[no-any-return]

    def of_acall(self, acall: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        acall = getattr(acall, "__wrapped__", acall)

        @functools.wraps(acall)
        async def kept_acall(tool: Any, **arguments: Any) -> Any:
            if self._passes(tool):
                return await acall(tool, **arguments)
            asked = self._asked(str(tool.name), arguments)
            if (taken := self._take(asked)) is not None:
                return self._given(asked, taken, tool.func)
            with self._running(asked):
                value = await acall(tool, **arguments)
            self._keep(asked, value, tool.func)
            return value

        return with_callbacks(kept_acall)  # type: ignore[no-any-return]

    def of_execute(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(execute)
        def kept_execute(call: Any, functions: Any = None) -> Any:
            if functions is None:  # DSPy looks among the variables of its caller
                frame = sys._getframe(1)
                found = frame.f_locals.get(call.name) or frame.f_globals.get(call.name)
                functions = {call.name: found} if found is not None else {}
            if self.over:
                return execute(call, functions)
            return self._done(call.name, call.args or {}, lambda: execute(call, functions), None)

        return kept_execute

    def of_format_exception(self, formatted: Callable[..., list[str]]) -> Callable[..., list[str]]:
        """An error of a tool as text: that of the recording, and without the frames of this file."""

        @functools.wraps(formatted)
        def kept_format(error: Any, /, *arguments: Any, **named: Any) -> list[str]:
            value = arguments[0] if arguments else named.get("value", error)
            call = getattr(value, _MARK, None) if isinstance(value, BaseException) else None
            if self.over or not isinstance(call, ToolCall):
                return formatted(error, *arguments, **named)
            request = {**call.request, "traceback": True}
            if not self._is_live(call.request["tool"]) and (taken := self._book.take(call.place, TOOL, request)):
                return [str(taken.value)]
            _leave_out_ours(value.__traceback__)
            text = formatted(error, *arguments, **named)
            self._book.keep(call.place, TOOL, request, "".join(text))
            return text

        return kept_format

    # One call

    def _done(self, name: str, arguments: dict[str, Any], run: Callable[[], Any], function: Any) -> Any:
        asked = self._asked(name, arguments)
        if (taken := self._take(asked)) is not None:
            return self._given(asked, taken, function)
        with self._running(asked):
            value = run()
        self._keep(asked, value, function)
        return value

    def _passes(self, tool: Any) -> bool:
        return self.over or str(getattr(tool.func, "__module__", "")).startswith(_AGENTS)

    def _is_live(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._live)

    def _asked(self, name: str, arguments: dict[str, Any]) -> ToolCall:
        scope, branch = self._scopes.current(), branches.current()
        request = {"tool": name, "arguments": dict(arguments), **({"branch": branch} if branch else {})}
        return ToolCall(scope.place if scope else None, request)

    def _take(self, asked: ToolCall) -> Taken | None:
        """What is recorded of the call; None where the tool is to run. Raises ReplayMiss where it may not."""
        if not self._book.replays:
            return None
        taken = self._book.take(asked.place, TOOL, asked.request)
        if self._is_live(asked.request["tool"]):
            return None
        if taken is None and self._book.strict:
            miss = self._book.miss(asked.place, TOOL, asked.request, f"a call of the tool {asked.request['tool']!r}")
            scope = self._scopes.current()
            if scope is not None:
                scope.missed(miss)
            raise miss
        return taken

    @staticmethod
    def _given(asked: ToolCall, taken: Taken, function: Any) -> Any:
        try:
            return from_plain(taken.get(), function)
        except Exception as error:
            setattr(error, _MARK, asked)
            raise

    @contextlib.contextmanager
    def _running(self, asked: ToolCall) -> Iterator[None]:
        """Within it, the tool runs: what is asked there is asked within it, and what it raises is its answer."""
        with within(asked.request["tool"]), branches.uncounted():
            try:
                yield
            except PitchevalError:
                raise
            except Exception as error:
                self._book.keep(asked.place, TOOL, asked.request, error=error)
                setattr(error, _MARK, asked)
                raise

    def _keep(self, asked: ToolCall, value: Any, function: Any) -> None:
        if not self._book.records:
            return
        told, is_faithful = to_plain(value, function)
        if not is_faithful:
            self._book.note(
                f"--eval-record: the tool {asked.request['tool']!r} returned a {type(value).__name__}, of which a "
                "replay has the text alone; expected JSON values, a pydantic model, or an annotation of what it returns"
            )
        self._book.keep(asked.place, TOOL, asked.request, told)


def _leave_out_ours(found: TracebackType | None) -> None:
    """Take the frames of this file, and of the context managers in it, out of a traceback."""
    while found is not None:
        while found.tb_next is not None and found.tb_next.tb_frame.f_code.co_filename == __file__:
            found.tb_next = found.tb_next.tb_next
        found = found.tb_next
