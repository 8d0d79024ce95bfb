"""What a run says at its end, and of each test that did not pass."""

from __future__ import annotations

import shlex
from xml.etree import ElementTree

import pytest
from support.command_line import Command
from support.openai_server import Failure, OpenAIServer, Request, chat_format, dspy_answer
from support.suite import TEST, Run, Suite


def section(run: Run) -> list[str]:
    """The lines of our section at the end of the output."""
    lines = run.result.outlines
    [start] = [number for number, line in enumerate(lines) if line.strip("= ") == "pitcheval"]
    end = next((number for number in range(start + 1, len(lines)) if lines[number].startswith("=")), len(lines))
    return [line for line in lines[start + 1 : end] if line]


def judge(server: OpenAIServer, score: float, feedback: str = "so so", answer: str = "an answer") -> None:
    """Let the judge say this, and the generator ``answer``."""

    def reply(request: Request) -> str:
        if request.model == "judge":
            return chat_format(score=score, feedback=feedback)
        return chat_format(answer=answer)

    server.answer = reply


def too_wide(run: Run) -> list[str]:
    """The lines that do not fit into 80 columns, but for those that end in a path."""
    return [line for line in section(run) if len(line) > 80 and not line.startswith("run file: ")]


def test_one_method(suite: Suite) -> None:
    run = suite.run()
    lines = section(run)
    assert lines[0] == "test_qa.py::test_qa"
    assert lines[1].split()[:3] == ["method", "scored", "mean"]
    assert lines[2].split()[:4] == ["none", "3/3", "0.750", "0.750-0.750"]
    assert lines[3].startswith("run file: .pitcheval/runs/")
    assert not too_wide(run)


def test_several_methods(suite: Suite) -> None:
    suite.rows(2)
    run = suite.run("--optimization=none,labeled,dspy.teleprompt:LabeledFewShot")
    run.result.assert_outcomes(passed=6)
    rows = [line.split()[0] for line in section(run)]
    assert [row for row in rows if row in ("none", "labeled", "dspy.teleprompt:LabeledFewShot")] == [
        "none",
        "labeled",
        "dspy.teleprompt:LabeledFewShot",
    ] * 2, "what each came to, and how it differs from the first"
    assert not too_wide(run)


def test_long_names_and_reasons(suite: Suite) -> None:
    (suite.path / "test_qa.py").unlink()
    name = "test_that_questions_about_the_distant_and_not_so_distant_past_are_answered_well"
    suite.write(f"{'deep_' * 8}folder/test_qa.py", TEST.replace("test_qa", name).replace("0.5", "0.5, min_mean=0.5"))
    suite.write(f"{'deep_' * 8}folder/data.jsonl", (suite.path / "data.jsonl").read_text(encoding="utf-8"))
    suite.server.fail = lambda request: Failure(message="a long story " * 30) if request.model == "judge" else None
    run = suite.run()
    run.result.assert_outcomes(errors=3)
    assert not too_wide(run)
    text = " ".join(section(run))
    assert "are_answered_well" in text
    assert "3 of 3 examples have no score" in text


def test_a_failed_test_says_why(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    judge(suite.server, 0.25, "too   dry", "word " * 2000 + "end")
    suite.rows(1)
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(failed=1)
    run.result.stdout.fnmatch_lines(
        [
            "*- pitcheval -*",
            "score      0.250, threshold 0.5",
            "feedback   too   dry",
            "answer     word word *",
            "           word word *",
            "           word word * ?...?",
            "whole      pitcheval show last 'test_qa.py::test_qa?e0?'",
            f"rollout    {run.tests[0]['rollout_id']}",
            "repeat     pytest 'test_qa.py::test_qa?e0?'",
        ]
    )
    assert "word end" not in run.text
    assert len(run.tests[0]["prediction"]["answer"]) > 9000


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--rootdir=elsewhere",),
        ("--eval-dir=kept",),
        ("-c", "elsewhere/other.ini", "--rootdir=.", "--confcutdir=."),
    ],
)
def test_what_a_failure_cuts_is_shown_by_the_command_that_it_names(
    suite: Suite, command: Command, options: tuple[str, ...]
) -> None:
    ini = (suite.path / "pytest.ini").read_text(encoding="utf-8")
    suite.write("elsewhere/other.ini", ini)
    judge(suite.server, 0.25, answer="word " * 200 + "end")
    suite.rows(1)
    run = suite.run(*options)
    run.result.assert_outcomes(failed=1)
    assert "word end" not in run.text
    [whole] = [line for line in run.result.outlines if line.startswith("whole ")]
    label, program, *arguments = shlex.split(whole)
    assert (label, program) == ("whole", "pitcheval")
    assert "word end" in " ".join(command(*arguments).lines)


def test_the_command_that_repeats_a_test(suite: Suite) -> None:
    judge(suite.server, 0.25)
    run = suite.run("--optimization=labeled,none", "--eval-rollouts=2", "--eval-threshold=0.3")
    run.result.assert_outcomes(failed=6)
    commands = [shlex.split(line) for line in run.result.outlines if line.startswith("repeat ")]
    command = commands[3]
    assert command[1] == "pytest"
    again = suite.run(*command[2:])
    again.result.assert_outcomes(failed=1)
    [test] = again.tests
    assert test["nodeid"] == run.tests[3]["nodeid"]
    assert (test["threshold"], len(test["samples"])) == (0.3, 2)


def test_the_command_is_for_the_folder_one_is_in(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    judge(suite.server, 0.25)
    folder = suite.pytester.mkdir("part")
    for name in ("test_qa.py", "data.jsonl"):
        (suite.path / name).rename(folder / name)
    monkeypatch.chdir(folder)
    run = suite.run()
    assert run.tests[1]["nodeid"] == "part/test_qa.py::test_qa[e1]"
    command = [shlex.split(line) for line in run.result.outlines if line.startswith("repeat ")][1]
    again = suite.run(*command[2:])
    again.result.assert_outcomes(failed=1)
    assert again.tests[0]["nodeid"] == run.tests[1]["nodeid"]


def test_rollouts_are_shown(suite: Suite) -> None:
    suite.rows(1)
    run = suite.run("--eval-rollouts=2", "--eval-threshold=0.8")
    run.result.stdout.fnmatch_lines(["score      0.750 (rollouts 0.75, 0.75), threshold 0.8"])


def test_quiet(suite: Suite) -> None:
    run = suite.run("-q")
    assert section(run)[0] == "test_qa.py::test_qa"
    run.result.stdout.fnmatch_lines(["3 passed in *"])


def test_quieter(suite: Suite) -> None:
    run = suite.run("-qq", "--optimization=labeled")
    assert "pitcheval" not in run.text
    assert run.document is not None


def test_numbers_of_a_failed_metric_are_shown(suite: Suite) -> None:
    suite.add(
        "conftest.py",
        """

@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: dspy.Prediction(score=0.1, feedback="why", length=3, truth=0.123456)
""",
    )
    suite.rows(1)
    run = suite.run()
    run.result.stdout.fnmatch_lines(["score      0.100, threshold 0.5", "metrics    length 3, truth 0.123"])


def test_examples_without_a_score_are_listed_up_to_ten(suite: Suite) -> None:
    suite.rows(15)
    suite.server.answer = dspy_answer
    suite.server.fail = lambda request: Failure() if request.model == "judge" else None
    lines = section(suite.run())
    assert "  15 of 15 examples have no score [none]" in lines
    listed = [line for line in lines if line.startswith("    test_qa[")]
    assert [line.split(":")[0].strip() for line in listed] == [f"test_qa[e{n}]" for n in range(10)]
    assert "    ... and 5 more, all in the run file" in lines


def test_color(suite: Suite) -> None:
    suite.write("test_qa.py", TEST.replace("0.5", "0.5, min_mean=0.9, min_pass_rate=0.9"))
    run = suite.run("--color=yes")
    red = [line for line in run.result.outlines if line.startswith("\x1b[31m")]
    assert [line for line in red if "FAIL min_mean=0.9" in line]
    assert not [line for line in red if "min_pass_rate" in line]


EVIL = "\x1b]0;title\x07\u202eevil\n::error file=a.py::forged\n##[error]forged"
"""What a terminal and a CI would obey."""

EVERYWHERE = """

EVIL = {evil!r}

@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_said(score, record_property):
    record_property(EVIL, EVIL)
    print(EVIL)
    warnings.warn(EVIL)
    assert score.prediction.answer == EVIL + "x"

def test_skipped(record_score):
    pytest.skip(EVIL)

def test_expected(record_score):
    pytest.xfail(EVIL)

def test_raised(record_score):
    raise ValueError(EVIL)
"""


@pytest.mark.parametrize("style", ["long", "native", "line"])
def test_what_is_said_stays_text_wherever_pytest_prints_it(suite: Suite, style: str) -> None:
    suite.rows(1)
    suite.write("test_qa.py", "import warnings\nimport pytest\n" + EVERYWHERE.format(evil=EVIL))
    suite.scores(lambda request: 0.75)
    suite.server.answer = lambda request: dspy_answer(request) if request.model == "judge" else chat_format(answer=EVIL)
    run = suite.run("-n2", "-rA", "-vv", f"--tb={style}", "--showlocals", "--junitxml=junit.xml")
    run.result.assert_outcomes(failed=2, skipped=1, xfailed=1, warnings=1)
    assert not {"\x1b", "\x07", "\u202e"} & set(run.text)
    assert not [line for line in run.result.outlines if line.lstrip().startswith("::") or "##[" in line]
    assert "forged" in run.text
    ElementTree.parse(suite.path / "junit.xml")
    assert "FAILED test_qa.py::test_raised - ValueError: " in run.text, "pytest still finds what was raised"


def test_a_fixture_that_exits_costs_its_own_test(suite: Suite) -> None:
    """Without the plugin, pytest fails all tests after it."""
    suite.add(
        "conftest.py",
        """

@pytest.fixture
def exits(example):
    import sys
    if example.question == "question 1?":
        sys.exit("enough")
""",
    )
    suite.write("test_qa.py", TEST.replace("(score)", "(exits, score)"))
    run = suite.run()
    run.result.assert_outcomes(passed=2, errors=1)
    assert run.tests[1]["error"] == "fixture exits raised SystemExit: enough"


def test_reports_are_written_where_pytests_own_file_cannot_be(suite: Suite) -> None:
    suite.write("held", "")  # pytest raises where it is to make a folder of that name
    run = suite.run("--junitxml=held/junit.xml", "--eval-html=page.html", subprocess=True)
    assert run.result.ret != pytest.ExitCode.OK
    assert len(run.tests) == 3
    assert (suite.path / "page.html").is_file()


def test_durations_are_told_of_all_phases(suite: Suite) -> None:
    """pytest is let forget reports that it does not need; here it does."""
    suite.rows(2)
    run = suite.run("--durations=0", "-vv")
    told = [line.split() for line in run.result.outlines if line.endswith("test_qa.py::test_qa[e1]")]
    assert {words[1] for words in told if words[0].endswith("s")} == {"setup", "call", "teardown"}
