"""Which media of a run are sent to MLflow, and by which names its tables know them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import requests

from pytest_pitcheval.tracking import media
from pytest_pitcheval.tracking.mlflow_client import is_refusal


def medium(folder: Path, content: bytes, kind: str = "image/png") -> dict[str, Any]:
    total = hashlib.sha256(content).hexdigest()
    (folder / f"{total}.{kind.rpartition('/')[2]}").write_bytes(content)
    return {"media": kind, "bytes": len(content), "sha256": total}


def document(*values: Any) -> dict[str, Any]:
    tests = [{"nodeid": f"t[{n}]", "inputs": {"picture": value}, "prediction": None} for n, value in enumerate(values)]
    return {"run": {}, "tests": tests}


def test_each_is_sent_once_wherever_it_stands(tmp_path: Path) -> None:
    first, second = medium(tmp_path, b"one"), medium(tmp_path, b"two")
    run = document(first, [second, {"again": first}], "text")
    run["tests"][2]["prediction"] = {"drawn": second}
    run["tests"][2]["later_rollouts"] = [{"prediction": {"drawn": third}} for third in [medium(tmp_path, b"three")]]
    sent = media.chosen(run["tests"], tmp_path)
    assert list(sent.sizes.values()) == [3, 3, 5]
    assert sent.left_out is None
    tests = media.with_paths(run, sent)["tests"]
    name = f"media/{first['sha256']}.png"
    assert tests[0]["inputs"] == {"picture": name}
    assert tests[1]["inputs"]["picture"][1] == {"again": name}
    assert tests[2]["prediction"] == {"drawn": f"media/{second['sha256']}.png"}
    assert run["tests"][0]["inputs"] == {"picture": first}


def test_beyond_the_total_smaller_ones_still_go_and_the_rest_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MOST", 1_000_010)
    values = [medium(tmp_path, content) for content in (b"a" * 1_000_000, b"b" * 60_000, b"few")]
    gone = medium(tmp_path, b"gone")
    (tmp_path / f"{gone['sha256']}.png").unlink()
    run = document(*values, gone)
    sent = media.chosen(run["tests"], tmp_path)
    assert [len(sent.sizes), len(sent.too_many), len(sent.gone)] == [2, 1, 1]
    assert sent.left_out == "2 of 4 left out: 0.1 MB beyond the 1 MB of a run, 1 not in the folder media"
    shown = [test["inputs"]["picture"] for test in media.with_paths(run, sent)["tests"]]
    assert [text.endswith(" (not logged)") for text in shown] == [False, True, False, True]


def test_no_link_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    one = medium(tmp_path, b"private")
    name = f"{one['sha256']}.png"
    (folder / name).symlink_to(tmp_path / name)
    sent = media.chosen(document(one)["tests"], folder)
    assert sent.sizes == {}
    assert sent.gone == {name}


def test_a_run_of_texts_stays_the_very_document(tmp_path: Path) -> None:
    run = document("text", {"media": "image/png", "bytes": 3, "sha256": "../../x"})
    assert media.with_paths(run, media.chosen(run["tests"], tmp_path / "none")) is run


@pytest.mark.parametrize(("status", "refused"), [(413, True), (422, True), (403, False), (429, False), (500, False)])
def test_what_is_too_large_is_refused_and_a_server_that_fails_is_not_asked_less(status: int, refused: bool) -> None:
    response = requests.Response()
    response.status_code = status
    with pytest.raises(requests.HTTPError) as raised:
        response.raise_for_status()
    assert is_refusal(raised.value) is refused
