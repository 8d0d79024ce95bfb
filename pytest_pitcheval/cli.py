"""The ``pitcheval`` command: runs looked at, decided again, a first suite; pytest's configuration and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.options.numbers import whole_number_in
from pytest_pitcheval.options.table import OPTIONS
from pytest_pitcheval.results.printable import printable, printable_line
from pytest_pitcheval.settings import settings

if TYPE_CHECKING:
    from pytest_pitcheval.command.named_runs import Printed
    from pytest_pitcheval.settings.settings import Settings

_RUN = "a run's ID, its file or archive, or 'last'"
_DECIDING = tuple(option.name for option in OPTIONS if option.decides)
_DECIDING_AGAIN = (*_DECIDING, "eval_threshold", "eval_update_baseline", "eval_baseline_samples")
_SEEING = ("eval_baseline_allow", "eval_baseline_max_age")
_COMPARING = ("eval_baseline", *_SEEING, "eval_gate", "eval_lower_is_better")
_LOGGING = ("eval_mlflow", "eval_mlflow_timeout", "eval_mlflow_experiment")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """A wrong command line is pytest's usage error."""
        self.print_usage(sys.stderr)
        self.exit(int(pytest.ExitCode.USAGE_ERROR), f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="pitcheval",
        description="Write a first suite; look at evaluation runs, compare them, decide them again. Asks no LM.",
        epilog="An option means what it means for pytest; without it, the key of its name in pytest's ini file counts.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _command(commands, "runs", "list the runs")
    show = _command(commands, "show", "print a run, or what is known of single tests in it")
    show.add_argument("run", metavar="RUN", help=_RUN)
    show.add_argument("test", metavar="TEST", nargs="?", help="part of the tests' node ID")
    text = "write its examples to PATH as a table for spreadsheets, a row for each rollout; -: to standard output"
    show.add_argument("--csv", metavar="PATH", help=text)
    compare = _command(commands, "compare", "compare two runs, example by example", _SEEING)
    compare.add_argument("first", metavar="A", help=f"{_RUN}, or a baseline file")
    compare.add_argument("second", metavar="B", help="what is compared with it")
    decide = _command(
        commands, "decide", "hold a finished run to other thresholds, gates or baselines", _DECIDING_AGAIN
    )
    decide.add_argument("run", metavar="RUN", help=_RUN)
    _report(commands)
    _label(commands)
    merge = _command(commands, "merge", "put the runs of a suite's parts together, and decide them as one", _DECIDING)
    merge.add_argument("runs", metavar="RUN", nargs="+", help=_RUN)
    text = "print what the baseline file has, or with --prune what it has of tests that are gone"
    baseline = _command(commands, "baseline", text, ["eval_baseline"])
    baseline.add_argument("run", metavar="RUN", nargs="?", help=f"of all tests: {_RUN}; default: last", default="last")
    baseline.add_argument("--prune", action="store_true", help="list the tests and examples that RUN does not have")
    baseline.add_argument("--yes", action="store_true", help="with --prune: take them out")
    _init(commands)
    text = "say what the evaluations of a pytest command would take, by what they took before; nothing is run"
    estimate = commands.add_parser("estimate", help=text, description=text)
    estimate.add_argument("arguments", metavar="ARGUMENT", nargs="...", help="what pytest would be given")
    _command(commands, "sync", "log the runs to MLflow that could not be logged when they ended", _LOGGING)
    return parser


def _init(commands: Any) -> None:
    text = (
        "write a first suite: for a DSPy program, or a copy of an example; without --generator-model on the embedded LM"
    )
    init = _command(commands, "init", text, ["generator_model"], on_runs=False)
    text = "the program: a dspy.Module class, or one made already"
    init.add_argument("program", metavar="MODULE:CLASS", nargs="?", help=text)
    init.add_argument("--like", metavar="NAME", help="copy an example suite: agent, extraction, pitch or retrieval")
    text = "where to; default: evaluation, with --like the current folder"
    init.add_argument("--folder", metavar="DIR", help=text)


def _report(commands: Any) -> None:
    report = _command(commands, "report", "write the HTML report of a run, as --eval-html does", _COMPARING)
    report.add_argument("run", metavar="RUN", help=_RUN)
    report.add_argument("-o", "--output", metavar="PATH", help="where to; default: the run's ID.html in --eval-dir")
    report.add_argument("--markdown", action="store_true", help="the summary of --eval-markdown; printed without -o")


def _label(commands: Any) -> None:
    text = "label answers of a run, one key each and no score in sight: the rows of a judge's exam"
    label = _command(commands, "label", text, ["eval_seed"])
    label.add_argument("run", metavar="RUN", help=_RUN)
    label.add_argument("test", metavar="TEST", nargs="?", help="part of the name of the tests' function; default: all")
    text = "the file of labels, to which each is added at once; default: judge.jsonl"
    label.add_argument("-o", "--output", metavar="PATH", default="judge.jsonl", help=text)
    text = "how many answers, drawn at random; default: all, in random order"
    label.add_argument("-n", "--sample", metavar="N", type=_count, help=text)
    text = "half of the sample at random, the other half those whose scores are nearest to the threshold"
    label.add_argument("--near-threshold", action="store_true", help=text)
    label.add_argument("--label", metavar="NAME", default="good", help="the column of the labels; default: good")
    label.add_argument("--grades", metavar="N", type=_grades, help="grades 1 to N (2 to 9) instead of yes and no")
    text = "who labels; default: git's user.name, else the user's name"
    label.add_argument("--author", metavar="NAME", help=text)
    text = "write a page to PATH that does the same without network, and saves the file by download"
    label.add_argument("--html", metavar="PATH", help=text)


def _count(text: str) -> int:
    number = whole_number_in(text)
    if number is None or number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, 1 or more")
    return number


def _grades(text: str) -> int:
    number = whole_number_in(text)
    if number is None or not 2 <= number <= 9:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 2 to 9")
    return number


def _command(
    commands: Any, name: str, text: str, names: Iterable[str] = (), on_runs: bool = True
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    shared = command.add_argument_group("as for pytest")
    shared.add_argument("-c", "--config-file", metavar="FILE", help="pytest's ini file")
    shared.add_argument("--rootdir", metavar="PATH", help="pytest's root directory")
    for option in OPTIONS:
        if option.name in (*names, *(["eval_dir"] if on_runs else [])):
            for flag, arguments in option.arguments():
                shared.add_argument(flag, **arguments)
    return command


def _for_pytest(arguments: argparse.Namespace) -> list[str]:
    """The command line with which pytest would have these settings; it loads no conftest.py."""
    given = ["-s", "--noconftest", "-p", "pitcheval"]
    given += [f"--rootdir={arguments.rootdir}"] if arguments.rootdir else []
    given += ["-c", arguments.config_file] if arguments.config_file else []
    for option in OPTIONS:
        value = getattr(arguments, option.dest, None)
        if value is True:
            given.append(option.flag)
        elif value:
            given.append(f"{option.flag}={value}")
    return given


class _InsteadOfTests:
    """A pytest plugin: pytest reads its configuration, and then this runs instead of tests."""

    def __init__(self, run: Callable[[Settings, Path], Printed]) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> pytest.ExitCode:
        try:
            lines, good = self._run(settings.read_settings(config), config.rootpath)
        except PitchevalError as error:
            raise pytest.UsageError(printable_line(str(error))) from None
        for line, _ in lines:
            print(_encodable(printable(line)))
        return pytest.ExitCode.OK if good else pytest.ExitCode.TESTS_FAILED


def _encodable(text: str) -> str:
    """``text`` as standard output can take it, which need not be UTF-8."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _chosen(arguments: argparse.Namespace) -> Callable[[Settings, Path], Printed]:
    from pytest_pitcheval.command import (
        baseline_command,
        compare_command,
        csv_command,
        decide_command,
        report_command,
        show_command,
        sync_command,
    )
    from pytest_pitcheval.command.labelling import label_command

    if arguments.command == "show" and arguments.csv is not None:
        return lambda settings, _: csv_command.write_table(settings, arguments.run, arguments.test, arguments.csv)
    if arguments.command == "baseline" and arguments.prune:
        return lambda settings, _: baseline_command.prune(settings, arguments.run, arguments.yes)
    return {
        "runs": lambda settings, _: show_command.list_runs(settings),
        "show": lambda settings, _: show_command.show_run(settings, arguments.run, arguments.test),
        "compare": lambda settings, folder: compare_command.compare_runs(
            settings, folder, arguments.first, arguments.second
        ),
        "decide": lambda settings, folder: decide_command.decide_run(settings, folder, arguments.run),
        "report": lambda settings, folder: report_command.report_run(
            settings, folder, arguments.run, arguments.output, arguments.markdown
        ),
        "baseline": lambda settings, _: baseline_command.list_baseline(settings),
        "label": lambda settings, folder: label_command.label_run(settings, folder, label_command.Asked.of(arguments)),
        "merge": lambda settings, folder: decide_command.merge_runs(settings, folder, arguments.runs),
        "init": lambda settings, _: _start(settings, arguments.program, arguments.like, arguments.folder),
        "sync": sync_command.sync_runs,
    }[arguments.command]


def _start(settings: Settings, program: str | None, like: str | None, folder: str | None) -> Printed:
    """A first suite: for ``program``, or a copy of the example ``like``; where ``folder`` is None, where these go."""
    from pytest_pitcheval.command.first_suite import gallery, starter

    if program is not None and like is None:
        return starter.write_suite(settings, Path.cwd(), program, folder or "evaluation")
    if like is not None and program is None:
        return gallery.start_like(settings, Path.cwd(), like, folder or ".")
    raise PitchevalError(f"init: expected MODULE:CLASS or --like=NAME, {'both' if like is not None else 'none'} given")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv``; returns pytest's exit codes: 1 for a run that does not hold, 4 if misused."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["estimate"] and not {"-h", "--help"} & set(given[1:]):  # its arguments are pytest's
        from pytest_pitcheval.command import estimate_command

        return estimate_command.run(given[1:])
    arguments = _parser().parse_args(given)
    return int(pytest.main(_for_pytest(arguments), plugins=[_InsteadOfTests(_chosen(arguments))]))
