"""Values of rows cast to types, and what stays as it is in the file."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import os
import re
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional

import dspy
import PIL.Image
import pydantic
import pytest

from pytest_pitcheval.collection.rows import Given, Row
from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.programs.typed.annotations import makes_objects, name_of
from pytest_pitcheval.programs.typed.casting import casting
from pytest_pitcheval.programs.typed.field_types import FieldTypes

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PIXEL_URL = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
WAVE = b"RIFF\x24\x00\x00\x00WAVEfmt "


class Kind(enum.Enum):
    ONE = "one"


class Deal(pydantic.BaseModel):
    amount: float


class Slide(pydantic.BaseModel):
    title: str
    picture: dspy.Image


class Plain(typing.TypedDict):
    name: str


Number = NewType("Number", int)
DEAL, HISTORY = {"amount": 2}, {"messages": [{"question": "?"}]}


def cast(value: Any, kind: Any, folder: Path = Path()) -> Any:
    """What the input ``x`` of a program that declares ``kind`` becomes."""
    made = casting({}, FieldTypes({"x": kind}))
    row = Row("0", {"x": value}, ("x",), place="data.jsonl:7", folder=folder)
    if made is None:
        return value
    complaint = made.complaint(row)
    if complaint is not None:
        with pytest.raises(MarkerError) as raised:
            made.values_of(row)
        assert str(raised.value) == complaint
        raise raised.value
    return made.values_of(row).get("x", value)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (DEAL, Deal, Deal(amount=2)),
        ([DEAL], list[Deal], [Deal(amount=2)]),
        ({"a": DEAL}, dict[str, Deal], {"a": Deal(amount=2)}),
        (DEAL, Optional[Deal], Deal(amount=2)),  # noqa: UP045
        (None, Deal | None, None),
        (Deal(amount=3), Deal, Deal(amount=3)),
        (HISTORY, dspy.History, dspy.History(messages=[{"question": "?"}])),
        ("2026-01-02", datetime.date, datetime.date(2026, 1, 2)),
        ("one", Kind, Kind.ONE),
        ("1.10", decimal.Decimal, decimal.Decimal("1.10")),
        # As cells of a CSV file have them
        ('{"amount": 2}', Deal, Deal(amount=2)),
        ('[{"amount": 2}]', list[Deal], [Deal(amount=2)]),
        ("", Deal | None, None),
        ("", dspy.Image | None, None),
        ("x = 1", dspy.Code, "x = 1"),
    ],
)
def test_objects(value: Any, kind: Any, expected: Any) -> None:
    made = cast(value, kind)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (5, str),
        ("5", int),
        (None, str),
        ("a", list[str]),
        (["a"], tuple[str, ...]),
        ("x", dict[str, Any]),
        ({"name": 3}, Plain),
        ("five", Number),
        (3, Annotated[str, pydantic.Field(max_length=2)]),
        ("a", Literal["a", "b"]),
        ("1", Literal[1, 2]),
        ("x", typing.TypeVar("T")),
        ("f", typing.Callable[[int], str]),
        ("y", type("Odd", (), {})),
    ],
)
def test_what_files_have_is_handed_over_as_it_stands(value: Any, kind: Any) -> None:
    assert cast(value, kind) is value


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ({"amount": "lots"}, Deal, "amount: 'lots': Input should be a valid number"),
        ("free text", Deal, "'free text': Input should be a valid dictionary or instance of Deal; expected Deal"),
        (None, dspy.History, "None: Input should be a valid dictionary or instance of History; expected dspy.History"),
        ("c", Literal["a", "b"], "'c': Input should be 'a' or 'b'; expected 'a' | 'b'"),
        ("gone.png", dspy.Image, "'gone.png': no such file (a path is relative to the dataset); expected dspy.Image"),
        ("\0", dspy.Image, "'\\x00': no such file"),
        ("notes.txt", dspy.Image, "'notes.txt' is text/plain; expected dspy.Image"),
        ("empty.png", dspy.Image, "'empty.png' is empty; expected dspy.Image"),
        ("https://host/a.wav", dspy.Audio, "'https://host/a.wav': dspy.Audio takes no URL"),
        (["a.png", "gone.png"], list[dspy.Image], "'gone.png': no such file"),
        (b"text", dspy.Image, "a value of 4 bytes is application/octet-stream; expected dspy.Image"),
        ({"bytes": None, "path": None}, dspy.Image, "it has neither bytes nor a path; expected dspy.Image"),
        (3, dspy.File, "3: "),
        ("data:image/png;base64,***", dspy.Image, "'data:image/png;base64,***' is no base64; expected dspy.Image"),
        ("data:image/png;base64,", dspy.Image, "'data:image/png;base64,' is no base64"),
        ("data:text/plain;base64,aGk=", dspy.Image, "'data:text/plain;base64,aGk=' is text/plain; expected"),
        ("data:image/png;base64,aGk=", dspy.Audio, "'data:image/png;base64,aGk=' is image/png; expected dspy.Audio"),
    ],
)
def test_what_does_not_fit_is_one_line(value: Any, kind: Any, message: str, media: Path) -> None:
    with pytest.raises(MarkerError) as raised:
        cast(value, kind, media)
    assert str(raised.value).startswith(f"data.jsonl:7: column 'x': {message}")
    assert "\n" not in str(raised.value)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    for name, content in {
        "a.png": PIXEL,
        "a.wav": WAVE,
        "notes.txt": b"hello",
        "empty.png": b"",
        "bare": PIXEL,
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("value", "kind", "url"),
    [
        ("a.png", dspy.Image, PIXEL_URL),
        ("bare", dspy.Image, PIXEL_URL),
        (PIXEL, dspy.Image, PIXEL_URL),
        ({"bytes": PIXEL, "path": None}, dspy.Image, PIXEL_URL),
        ({"bytes": None, "path": "a.png"}, dspy.Image, PIXEL_URL),
        ({"path": "a.png"}, dspy.Image, PIXEL_URL),
        (PIXEL_URL, dspy.Image, PIXEL_URL),
        ({"url": "a.png"}, dspy.Image, PIXEL_URL),
        ("https://host/a.png", dspy.Image, "https://host/a.png"),
        ("a.png", dspy.Image | None, PIXEL_URL),
    ],
)
def test_pictures(value: Any, kind: Any, url: str, media: Path) -> None:
    assert cast(value, kind, media).url == url


def test_sound_and_documents(media: Path) -> None:
    sound = cast("a.wav", dspy.Audio, media)
    assert (base64.b64decode(sound.data), sound.audio_format) == (WAVE, "wav")
    sound = cast("data:audio/mpeg;base64,AAAA", dspy.Audio, media)
    assert (sound.data, sound.audio_format) == ("AAAA", "mp3")
    document = cast("notes.txt", dspy.File, media)
    assert (document.file_data, document.filename) == ("data:text/plain;base64,aGVsbG8=", "notes.txt")
    assert cast("https://host/a.pdf", dspy.File, media).file_id == "https://host/a.pdf"


def test_media_in_lists_dicts_and_models(media: Path) -> None:
    assert [picture.url for picture in cast(["a.png", "bare"], list[dspy.Image], media)] == [PIXEL_URL] * 2
    assert cast({"x": "a.png"}, dict[str, dspy.Image], media)["x"].url == PIXEL_URL
    slide = cast({"title": "One", "picture": "a.png"}, Slide, media)
    assert (slide.title, slide.picture.url) == ("One", PIXEL_URL)
    assert cast("a.png", str | dspy.Image, media) == "a.png"  # a text is one of them


class TestLabels:
    def made(self, value: Any, kind: Any) -> dict[str, Any]:
        made = casting({}, FieldTypes({}, {"deal": kind}))
        return {} if made is None else made.values_of(Row("0", {"id": "0", "q": "?", "deal": value}, ("q",)))

    def test_of_the_name_of_an_output_are_of_its_type(self) -> None:
        assert self.made(DEAL, Deal) == {"deal": Deal(amount=2)}

    def test_none_stays_none(self) -> None:
        assert self.made(None, Deal) == {}

    def test_choices_are_not_checked(self) -> None:
        """A metric may well compare without regard to case."""
        assert self.made("Yes", Literal["yes", "no"]) == {}

    def test_one_that_does_not_fit(self) -> None:
        with pytest.raises(MarkerError, match="column 'deal': 'none': Input should be a valid dictionary"):
            self.made("none", Deal)


class TestAsked:
    def test_types_of_the_marker_are_for_all_columns_and_win(self) -> None:
        made = casting({"x": dict, "n": int}, FieldTypes({"x": Deal}))
        assert made is not None
        assert made.values_of(Row("0", {"x": DEAL, "n": "5"}, ("x",))) == {"x": DEAL, "n": 5}

    def test_examples_of_the_users_own_are_cast_by_the_marker_alone(self) -> None:
        own = dspy.Example(x=DEAL, y=DEAL).with_inputs("x", "y")
        made = casting({"y": Deal}, FieldTypes({"x": Deal}))
        assert made is not None
        assert made.values_of(Row("0", own.toDict(), ("x", "y"), own)) == {"y": Deal(amount=2)}

    def test_a_type_that_nobody_can_make_values_of(self) -> None:
        made = casting({"x": type("Odd", (), {})}, FieldTypes())
        assert made is not None
        assert made.complaint(Row("0", {"x": 1}, ())) == (
            "evaluation marker: types={'x': Odd}: "
            "expected a type that pydantic knows, such as dspy.Image, datetime.date or a model"
        )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (list[Deal], "list[Deal]"),
        (dspy.Image | None, "dspy.Image | None"),
        (dict[str, Kind], "dict[str, Kind]"),
        (tuple[Deal, ...], "tuple[Deal, ...]"),
        (Annotated[Deal, "note"], "Deal"),
    ],
)
def test_types_are_named_as_they_are_written(kind: Any, name: str) -> None:
    assert makes_objects(kind)
    assert name_of(kind) == name


@dataclasses.dataclass
class Page:
    number: int
    pictures: list[dspy.Image]


class Named(pydantic.BaseModel):
    picture: dspy.Image = pydantic.Field(alias="img")


class Clip(pydantic.BaseModel):
    sound: dspy.Audio


class Tree(pydantic.BaseModel):
    picture: dspy.Image
    below: list[Tree] = []


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (["One", "a.png"], tuple[str, dspy.Image], lambda made: made[1]),
        (["a.png", "a.png"], tuple[dspy.Image, str], lambda made: made[0]),
        (["bare", "a.png"], tuple[dspy.Image, ...], lambda made: made[1]),
        ({"number": 1, "pictures": ["a.png"]}, Page, lambda made: made.pictures[0]),
        ({"img": "a.png"}, Named, lambda made: made.picture),
        ({"title": "One", "picture": "a.png"}, Clip | Slide, lambda made: made.picture),
        ({"title": "One", "picture": "a.png"}, Slide | Clip, lambda made: made.picture),
        ({"picture": "bare", "below": [{"picture": "a.png"}]}, Tree, lambda made: made.below[0].picture),
        ([{"picture": "a.png"}], list[Annotated[Tree, "note"]] | None, lambda made: made[0].picture),
        ('["a.png", "bare"]', list[dspy.Image], lambda made: made[0]),  # a cell of a CSV file
        (base64.b64encode(PIXEL).decode(), dspy.Image, lambda made: made),
        ({"bytes": base64.b64encode(PIXEL).decode(), "path": None}, dspy.Image, lambda made: made),
    ],
)
def test_pictures_wherever_they_stand(value: Any, kind: Any, found: Any, media: Path) -> None:
    assert found(cast(value, kind, media)).url == PIXEL_URL


def test_a_picture_that_a_callable_has_opened() -> None:
    made = casting({"x": dspy.Image}, FieldTypes())
    assert made is not None
    row = Row("0", {"x": PIL.Image.new("RGB", (2, 2))}, ("x",))
    assert made.complaint(row) is None
    assert made.values_of(row)["x"].url.startswith("data:image/png;base64,")


def test_pictures_in_the_turns_of_a_conversation(media: Path) -> None:
    """DSPy shows turns with the fields of the signature; a path would be shown as a text."""
    made = casting({}, FieldTypes({"picture": dspy.Image, "history": dspy.History | None}))
    assert made is not None
    turns: list[dict[str, Any]] = [{"picture": "a.png", "question": "?"}, {"picture": None}, {"answer": "a.png"}]
    row = Row("0", {"picture": "bare", "history": {"messages": turns}}, ("picture", "history"), folder=media)
    history = made.values_of(row)["history"]
    assert history.messages[0]["picture"].url == PIXEL_URL
    assert history.messages[1:] == turns[1:]
    turns[1]["picture"] = "gone.png"
    assert "column 'history': 'gone.png': no such file" in str(made.complaint(row))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "'folder' is a folder"),
        ("loop", "'loop': Too many levels of symbolic links"),
        ("pipe", "'pipe' is no file"),
        ("gone/a.png", "'gone/a.png': no such file"),
        ("a.png/b.png", "'a.png/b.png': no such file"),
    ],
)
def test_what_is_no_file_is_said_to_be_what_it_is(name: str, said: str, media: Path) -> None:
    (media / "folder").mkdir()
    (media / "loop").symlink_to("loop")
    os.mkfifo(media / "pipe")
    with pytest.raises(MarkerError, match=re.escape(f"column 'x': {said}")):
        cast(name, dspy.Image, media)


class TestExams:
    """The rows of a judge's exam, whose answers the program has given."""

    def row(self, **values: Any) -> Row:
        given = Given(values, "good", (1.0,), (0.0, 1.0), "", columns={"deal": "given_deal"})
        return Row("0", {"q": "?", "good": 1, "deal": DEAL}, ("q",), place="judge.jsonl:3", given=given)

    def test_answers_have_the_types_of_outputs(self) -> None:
        made = casting({}, FieldTypes({}, {"deal": Deal, "good": Deal}))
        assert made is not None
        assert made.values_of(self.row()) == {"deal": Deal(amount=2)}  # a label of the row; what people said is none
        assert made.answer_of(self.row(deal={"amount": 3}, reasoning="so")) == {"deal": Deal(amount=3)}
        said = made.complaint(self.row(deal="much"))
        assert str(said).startswith("judge.jsonl:3: column 'given_deal': 'much': Input should be a valid dictionary")

    def test_the_marker_names_columns(self) -> None:
        made = casting({"given_deal": Deal}, FieldTypes())
        assert made is not None
        assert made.answer_of(self.row(deal={"amount": 3})) == {"deal": Deal(amount=3)}
