"""The HTML page as a browser shows it: Debian's chromium, headless."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chromium import PROGRAM, Chromium, Page
from support.openai_server import Failure, Request, chat_format
from support.run_documents import TEST, many, record, report
from support.suite import Run, Suite

from pytest_pitcheval.reports.html import page
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.printable import visible

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no chromium")

HOSTILE = "<script>window.broken = 1</script><img src=x onerror='window.broken = 2'> </script><!-- \u2028 end"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


COMPLETE = """(async () => {
    while (document.getElementById("table-area").ariaBusy === "true") await new Promise((done) => setTimeout(done));
})()"""


class Opened:
    """A report in the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def names(self) -> list[str]:
        """The examples that the table shows, in its order, once all are there."""
        self.page.run(COMPLETE)
        return self.page.texts("#table .open")

    def shown(self) -> str:
        return self.page.text("#shown")

    def show(self, kind: str) -> list[str]:
        """Press a filter."""
        self.page.click(f".filters button[value={kind}]")
        return self.names()

    def sort(self, column: str) -> list[str]:
        """Press the head of a column."""
        position = self.heads().index(column) + 1
        self.page.click(f"#table thead th:nth-child({position}) button")
        return self.names()

    def heads(self) -> list[str]:
        return self.page.texts("#table thead th")

    def sorted_by(self) -> list[str]:
        return [
            str(one) for one in self.page.run("[...document.querySelectorAll('#table thead th')].map(h => h.ariaSort)")
        ]

    def open(self, name: str) -> str:
        """Open an example; what it shows then."""
        position = self.names().index(name)
        self.page.run(
            f"[...document.querySelectorAll('#table .open')].filter(b => b.checkVisibility())[{position}].click()"
        )
        return self.page.text("#table .opened .details")

    def check(self) -> None:
        """Nothing went wrong, and nothing was asked of anybody."""
        assert self.page.messages == []
        assert self.page.requests == self.page.requests[:1]
        assert self.page.requests[0].startswith("file:")


class Reports:
    """Opens reports, and closes none without a look at what went wrong in it."""

    def __init__(self, browser: Chromium, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self.opened: list[Opened] = []

    def __call__(self, found: RunReport | Path, fragment: str = "", **media: str) -> Opened:
        path = found if isinstance(found, Path) else self._folder / f"{len(self.opened)}.html"
        if not isinstance(found, Path):
            path.write_text(page.render(found), encoding="utf-8")
        self.opened.append(Opened(self._browser.open(path, fragment, **media)))
        return self.opened[-1]


@pytest.fixture
def opened(browser: Chromium, tmp_path: Path) -> Iterator[Reports]:
    reports = Reports(browser, tmp_path)
    yield reports
    for one in reports.opened:
        one.check()


NOW = [
    record("e10", 0.75),
    record("e2", 0.25),
    record("e1", None),
    record("new", 1.0, inputs={"question": "Who wrote Middlemarch?"}),
    record("skip", None, status="skipped"),
]
THEN = [record("e10", 0.5), record("e2", 0.9), record("e1", 0.5)]


def mixed() -> RunReport:
    return report(NOW, THEN, missing={"lost": "worker gw0 crashed while it ran"}, gates={"min_mean": 0.5})


def test_filters(opened: Reports) -> None:
    page = opened(mixed())
    assert page.names() == ["e10", "e2", "e1", "new", "skip", "lost"]
    assert page.shown() == "6 examples"
    assert page.page.texts(".filters button") == [
        "All6",
        "Failed1",
        "Errors1",
        "Missing1",
        "Skipped1",
        "Regressed1",
        "Improved1",
    ]
    assert page.show("failed") == ["e2"]
    assert page.shown() == "1 of 6 examples"
    assert page.show("error") == ["e1"]
    assert page.show("missing") == ["lost"]
    assert page.show("regressed") == ["e2"]
    assert page.show("improved") == ["e10"]
    pressed = (
        "[...document.querySelectorAll('.filters button')].filter(b => b.ariaPressed === 'true').map(b => b.value)"
    )
    assert page.page.run(pressed) == ["improved"]
    assert len(page.show("all")) == 6


def test_search_looks_into_the_texts(opened: Reports) -> None:
    page = opened(mixed())
    page.page.click("#text")
    page.page.type("middlemarch")
    assert page.names() == ["new"]
    page.page.type(" by whom")
    assert page.names() == []
    assert page.page.texts("#none") == ["No example fits."]
    page.page.run("document.getElementById('text').select()")
    page.page.type("gw0 CRASHED")
    assert page.names() == ["lost"]


def test_sorting(opened: Reports) -> None:
    page = opened(mixed())
    assert page.heads() == ["Example", "Status", "Score", "Baseline", "Change", "Time", "Answer"]
    assert page.sort("Example") == ["e1", "e2", "e10", "lost", "new", "skip"], "2 before 10"
    assert page.sorted_by()[:3] == ["ascending", "none", "none"]
    assert page.sort("Example") == ["skip", "new", "lost", "e10", "e2", "e1"]
    assert page.sorted_by()[0] == "descending"
    assert page.sort("Change") == ["e2", "e10", "e1", "new", "skip", "lost"], "what has none stands last"
    assert page.sort("Change") == ["e10", "e2", "e1", "new", "skip", "lost"]
    assert page.sort("Status") == ["e1", "lost", "e2", "skip", "e10", "new"]
    assert page.show("failed") == ["e2"], "a filter holds in any order"


def test_an_example_opens_with_the_keyboard(opened: Reports) -> None:
    page = opened(mixed())
    page.page.run("document.querySelector('#table .open').focus()")
    page.page.press("Enter", 13, "\r")
    button = "document.querySelector('#table .open')"
    assert page.page.run(f"{button}.ariaExpanded") == "true"
    assert page.page.run(f"document.getElementById({button}.getAttribute('aria-controls')).checkVisibility()")
    page.page.press(" ", 32, " ")
    assert page.page.run(f"{button}.ariaExpanded") == "false"
    assert page.page.texts("#table .details") == []


def test_everything_can_be_reached_by_tab(opened: Reports) -> None:
    page = opened(mixed())
    reached: list[str] = []
    while reached.count("skip") < 2:  # it begins again
        page.page.press("Tab", 9)
        reached.append(page.page.run("(e => e.id || e.className || e.value || e.tagName)(document.activeElement)"))
        assert len(reached) < 100
    assert reached[0] == "skip"
    assert {"theme", "text", "failed", "regressed", "table-area"} <= set(reached)
    assert reached.count("open") == len(page.names())
    assert reached.count("sort") == len(page.heads()) - 1, "all but the answers"


def test_what_an_example_opens_to(opened: Reports) -> None:
    later = ({"prediction": {"answer": "second try"}, "feedback": "worse"},)
    metrics = {"seconds": (1.5, 0.25), "length": (3.0, None), "cost": (0.00032, 0.0005), "tokens": (812.0, 1290.0)}
    now = record("a", 0.5, samples=(0.75, 0.25), later_rollouts=later, metrics=metrics)
    text = opened(report([now], [record("a", 0.9)])).open("a")
    lines = text.splitlines()
    for line in ("Inputs", "question", "question of a?", "Predictions", "Calls", "Repeat"):
        assert line in lines
    assert "\tRollout 1\tRollout 2\tBaseline" in lines
    start = lines.index("score\t0.750\t0.250\t0.900")
    measured = ["length\t3\t-\t-", "seconds\t1.5\t0.250\t-", "cost\t0.00032\t0.0005\t-", "tokens\t812\t1290\t-"]
    assert lines[start + 1 : start + 5] == measured, "the user's own first"
    assert "answer of a\tsecond try\tanswer of a" in text.replace("answer\t", "", 1)
    assert "feedback of a\tworse\tfeedback of a" in text
    assert "program\t1\t0\t0\t100\t20\t$0.0010" in lines
    assert "1.3 s in all rollouts." in text
    assert f"pytest '{TEST}[a]' --eval-replay=20260102T030405.000006Z" in lines


def test_what_was_expected_stands_beside_what_was_predicted(opened: Reports) -> None:
    labels = {"answer": "Santiago", "topic": "capitals", "__proto__": "odd", "score": "none of ours"}
    now = [record("a", 0.5, labels=labels), record("b", 0.5), record("c", None, labels=labels)]
    page = opened(report(now, [record("a", 0.9)]))
    assert page.heads()[-2:] == ["Expected", "Answer"]
    found = page.page.texts("#table tbody .answer")
    assert found == ["Santiago", "answer of a", "", "answer of b", "", "the provider is down"]
    lines = page.open("a").splitlines()
    assert "\tExpected\tNow\tBaseline" in lines
    assert "answer\tSantiago\tanswer of a\tanswer of a" in lines
    assert "score\t\t0.500\t0.900" in lines, "a label of that name is no score"
    start = lines.index("Labels")
    assert lines[start + 1 : start + 7] == ["topic", "capitals", "__proto__", "odd", "score", "none of ours"]
    page.page.click("#text")
    page.page.type("santiago")
    assert page.names() == ["a", "c"]


TOPICS = Requirements(
    slices={"topic": {"min_mean": {"score": 0.5}}}, must_pass="critical", gates={"min_mean": {"words": 2.0}}
)


def sliced() -> RunReport:
    """Two topics, a method each, and one example that must pass."""
    found = []
    for method in ("none", "bootstrap"):
        for number, topic in enumerate(["refunds", "<b>&=%2F", "refunds", None]):
            labels = {"topic": topic, "critical": number == 0}
            name = f"{method}-e{number}"
            metrics = {"words": (number + 1.0,), "tokens": (1234.5,)}
            found.append(record(name, 0.25 * (number + 1), optimization=method, labels=labels, metrics=metrics))
    return report(found, asked=TOPICS)


def test_examples_are_filtered_by_slice(opened: Reports) -> None:
    page = opened(sliced())
    options = page.page.run("[...document.getElementById('slice').options].map(option => option.text)")
    assert options == ["all", "critical", "topic=<b>&=%2F", "topic=refunds"]
    choose = "(e => { e.value = %s; e.dispatchEvent(new Event('change')); })(document.getElementById('slice'))"
    page.page.run(choose % json.dumps("topic=refunds"))
    assert page.names() == ["none-e0", "none-e2", "bootstrap-e0", "bootstrap-e2"]
    assert page.show("failed") == ["none-e0", "bootstrap-e0"], "filters hold together"
    page.page.run(choose % json.dumps("critical"))
    assert page.names() == ["none-e0", "bootstrap-e0"]
    page.page.run(choose % json.dumps(""))
    assert len(page.show("all")) == 8


def test_an_example_opens_on_a_narrow_page(opened: Reports) -> None:
    long = "tests/evaluation/of_a_support_team/test_answers.py::test_answers_of_the_team"
    now = [record(f"e{n}", 0.5, test=long, labels={"answer": "Santiago", "topic": "t"}) for n in range(3)]
    page = opened(report(now, [record("e0", 0.9, test=long)], asked=TOPICS))
    page.page.resize(420, 900)
    widths = "[...document.querySelectorAll('#table > thead th')].map(head => head.getBoundingClientRect().width)"
    before = page.page.run(widths)
    page.open("e1")
    assert page.page.run(widths) == before, "what is opened takes no room from the columns"
    assert page.page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.page.resize(1400, 900)
    shown = "[...document.querySelectorAll('#table > thead th')].filter(head => head.checkVisibility()).length"
    page.page.run("new Promise(requestAnimationFrame)")
    assert page.page.run("document.querySelector('#table > tbody > tr.details > td').colSpan") == page.page.run(shown)


def test_a_slice_in_the_table_of_slices_leads_to_its_examples(opened: Reports) -> None:
    page = opened(sliced())
    assert page.page.texts("[aria-label='Table of slices'] tbody tr")[:3] == [
        "test_qa.py::test_qa",
        "topic=refunds\tnone\t2/2\t0.500\t 0.000-1.000\t50 %\tpassed",
        "topic=<b>&=%2F\tnone\t1/1\t0.500\t-\t100 %\tpassed",
    ]
    page.page.click("[aria-label='Table of slices'] tbody tr:last-child a")
    page.page.run("new Promise(requestAnimationFrame)")
    assert page.names() == ["bootstrap-e1"]
    chosen = page.page.run("['test', 'method', 'slice'].map(id => document.getElementById(id).value)")
    assert chosen == ["test_qa.py::test_qa", "bootstrap", "topic=<b>&=%2F"]
    again = opened(Path(page.page.requests[0].removeprefix("file://")), "#slice=topic%3Dnone&method=none")
    assert again.names() == ["none-e0", "none-e1", "none-e2", "none-e3"], "a slice that is not there filters nothing"


def test_metrics_stand_beside_each_other(opened: Reports) -> None:
    page = opened(sliced())
    assert page.page.texts("table.metrics tr") == [
        "Test and method\twords",
        "test_qa.py::test_qa none\t2.5\n0.446 to 4.554",
        "test_qa.py::test_qa bootstrap\t2.5\n0.446 to 4.554",
    ]


def test_many_gates_and_tests_are_told_in_short(opened: Reports) -> None:
    now = [record(f"e{n}", 0.25 if n == 3 else 0.75, test=f"test_qa.py::test_{n}") for n in range(15)]
    before = [record(f"e{n}", 0.75, test=f"test_qa.py::test_{n}") for n in range(15)]
    page = opened(report(now, before, gates={"min_mean": 0.5}))
    assert page.page.texts(".verdict li") == [
        "test_qa.py::test_3 none -0.500 against the baseline: 1 regressed",
    ]
    assert page.page.texts(".verdict .under") == ["In 14 others no example changed against the baseline."]
    shown = page.page.texts("[aria-labelledby=gates] tbody tr")
    assert [line.split("\t")[:2] for line in shown] == [
        ["failed", "min_mean=0.5"],
        ["inconclusive", "max_regression=0.05"],
    ]
    assert page.page.texts("[aria-labelledby=gates] summary") == ["28 gates passed"]
    page.page.click("[aria-labelledby=gates] summary")
    assert len(page.page.texts("[aria-labelledby=gates] tbody tr")) == 30


def test_a_baseline_that_has_no_predictions_says_so(opened: Reports) -> None:
    found = report([record("a", 0.5)], [record("a", 0.9)])
    text = opened(RunReport(found.file, found.decision, found.baseline)).open("a")
    assert "The baseline is known by its scores alone." in text


@pytest.mark.parametrize("name", ["e2", HOSTILE, "ä %2F#[1]"])
def test_a_link_opens_its_example(opened: Reports, name: str) -> None:
    page = opened(report([*NOW, record(name, 0.25)], THEN) if name != "e2" else mixed())
    page.open(visible(name))
    address = page.page.run("document.querySelector('.opened a').href")
    again = opened(Path(page.page.requests[0].removeprefix("file://")), "#" + address.partition("#")[2])
    assert again.page.texts(".opened .open") == [visible(name)]
    assert again.page.run("document.activeElement.className") == "open"


def test_a_link_opens_an_example_that_is_filtered_out(opened: Reports) -> None:
    page = opened(mixed())
    page.page.click("#text")
    page.page.type("middlemarch")
    page.show("skipped")
    page.page.run(f"location.hash = '#example=' + encodeURIComponent({json.dumps(TEST + '[e2]')})")
    page.page.run("new Promise(requestAnimationFrame)")
    assert page.page.texts(".opened .open") == ["e2"]
    assert page.shown() == "6 examples"


@pytest.mark.parametrize("fragment", ["#example=nobody", "#example=%E0%A4%A", "#results"])
def test_a_link_to_nothing_does_nothing(opened: Reports, fragment: str) -> None:
    page = opened(mixed(), fragment)
    assert page.page.texts(".opened") == []
    assert len(page.names()) == 6


def test_themes(opened: Reports) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened(mixed(), prefers_color_scheme="light"), opened(mixed(), prefers_color_scheme="dark")
    colours = [one.page.run(colour) for one in (light, dark)]
    assert colours[0] != colours[1]
    light.page.click("#theme")
    assert (light.page.text("#theme"), light.page.run(colour)) == ("Theme: light", colours[0])
    light.page.click("#theme")
    assert (light.page.text("#theme"), light.page.run(colour)) == ("Theme: dark", colours[1])
    light.page.click("#theme")
    assert (light.page.text("#theme"), light.page.run(colour)) == ("Theme: system", colours[0])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_has_contrast(opened: Reports, theme: str) -> None:
    """4.5 to 1, as WCAG AA asks for."""
    page = opened(mixed(), prefers_color_scheme=theme)
    page.open("e2")
    page.show("failed")
    found = page.page.run(CONTRASTS)
    assert len(found) > 50
    assert [one for one in found if one[0] < 4.5] == []


CONTRASTS = """(() => {
    const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const channels = (colour) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const colour = channels(getComputedStyle(one).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const one of document.querySelectorAll("body *:not(script, style, option)")) {
        const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !one.checkVisibility()) continue;
        const style = getComputedStyle(one);
        const [a, b] = [light(channels(one.closest("svg") ? style.fill : style.color)), light(behind(one))];
        found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.outerHTML.slice(0, 80)]);
    }
    return found;
})()"""


@pytest.mark.parametrize("width", [420, 1400])
def test_the_page_is_as_wide_as_the_window(opened: Reports, width: int) -> None:
    page = opened(mixed())
    page.page.resize(width, 900)
    page.open("e2")
    assert page.page.run("document.documentElement.scrollWidth") <= width


def test_it_can_be_printed(opened: Reports) -> None:
    page = opened(mixed())
    assert page.page.print_pdf().startswith(b"%PDF-")
    page.page.ask("Emulation.setEmulatedMedia", media="print")
    assert page.page.texts("#theme, .filters button, #text") == []
    assert len(page.names()) == 6


@pytest.mark.parametrize("count", [0, 1])
def test_few_examples(opened: Reports, count: int) -> None:
    page = opened(report([record("a")][:count]))
    if count:
        assert (page.names(), page.shown()) == (["a"], "1 example")
    else:
        assert page.page.texts("#none") == ["There are no examples in this run."]
        assert page.page.texts("#controls, #table") == []


def test_many_examples(opened: Reports) -> None:
    page = opened(many(2000))
    assert page.shown() == "2000 examples"
    assert len(page.names()) == 2000
    assert page.page.run("document.querySelectorAll('.details').length") == 0, "nothing is made before it is opened"
    assert page.show("failed") == [f"e{n}" for n in range(2000) if n % 5 == 0]
    assert page.show("regressed") == [f"e{n}" for n in range(2000) if n % 5 == 0 or n % 3 == 0]
    page.page.click("#text")
    page.page.type("pitch 1999:")
    assert page.names() == []
    assert page.show("all") == ["e1999"]
    page.page.run("document.getElementById('text').select()")
    page.page.type("A sentence")
    assert page.sort("Score")[:2] == ["e0", "e5"]
    assert len(page.names()) == 2000


def say(request: Request) -> str:
    """Hostile answers, and a judge that finds them worse and worse."""
    [number] = set(re.findall(r"question (\d+)\?", request.prompt))
    if request.model == "judge":
        return chat_format(score=0.9 - int(number) / 10, feedback=HOSTILE)
    return chat_format(answer=f"{HOSTILE} {request.number}")


def fail(request: Request) -> Failure | None:
    return Failure() if request.model == "judge" and "question 2?" in request.prompt else None


@pytest.fixture
def bad_run(suite: Suite) -> Run:
    suite.rows(8)
    suite.run()
    suite.server.answer, suite.server.fail = say, fail
    run = suite.run("--eval-baseline=last", "--eval-html=out/page.html", "--eval-rollouts=2", "-n2")
    assert "report: out/page.html" in run.result.outlines
    return run


def test_a_run_with_hostile_answers(suite: Suite, bad_run: Run, opened: Reports) -> None:
    page = opened(suite.path / "out" / "page.html")
    assert page.page.text("h1") == "Failed"
    assert page.show("error") == ["e2"]
    assert page.show("failed") == ["e5", "e6", "e7"]
    text = page.open("e7")
    first, second = (one for test in bad_run.tests if test["example_id"] == "e7" for one in answers(test))
    assert first != second
    for answer in (first, second):
        assert " ".join(answer.split()) in " ".join(text.split()), "it is shown as it is"
    assert "Rollout 1\tRollout 2\tBaseline" in text
    assert page.page.run("window.broken") is None
    assert page.page.run("document.querySelectorAll('img, #table script').length") == 0


def answers(test: dict[str, Any]) -> list[str]:
    predictions = [test["prediction"], *(one["prediction"] for one in test["later_rollouts"])]
    return [str(one["answer"]) for one in predictions]
