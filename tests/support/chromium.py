"""A headless Chromium that opens one page at a time, spoken to in its own DevTools protocol.

In a test::

    with Chromium(folder) as browser:
        page = browser.open(path_of_a_file)
        page.click("#theme")
        assert page.text("h1") == "Failed"
        assert page.messages == []
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""None where there is no Chromium."""

PATIENCE = 60.0
"""Seconds for anything that the browser is asked; it may have to share a busy machine."""

_SWITCHES = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--window-size=1400,1000",
)

_MIDDLE = """(one) => {
    one.scrollIntoView({block: "center"});
    const {x, y, width, height} = one.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
}"""


class Chromium:
    """Runs from construction to ``close``; its profile is in ``folder``."""

    def __init__(self, folder: Path) -> None:
        assert PROGRAM is not None, "chromium is not installed"
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        profile = folder / "profile"
        self._log = (folder / "chromium.log").open("wb")
        command = [PROGRAM, *_SWITCHES, *root, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        self._address = self._find_address(profile / "DevToolsActivePort")
        self._pages: list[Page] = []

    def _find_address(self, path: Path) -> str:
        """Where it listens; it says so in a file of its profile."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
            if len(lines) > 1:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.02)
        raise AssertionError(f"chromium did not start: {Path(self._log.name).read_text(errors='replace')[-2000:]}")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        for page in self._pages:
            page.close()
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()

    def open(self, path: Path, fragment: str = "", **media: str) -> Page:
        """The page of the file at ``path``, once it is loaded; ``media`` are CSS features, ``_`` for ``-``."""
        page = Page(self._address)
        self._pages.append(page)
        page.emulate(**media)
        page.go(path.resolve().as_uri() + fragment)
        return page


class Page:
    """One page.

    Attributes:
        messages: what it wrote to the console, and errors, as text.
        requests: the addresses that it asked for; the first is its own.
    """

    def __init__(self, address: str) -> None:
        self._open = contextlib.ExitStack()
        connection = connect(address, max_size=None, open_timeout=PATIENCE, compression=None, proxy=None)
        self._socket: ClientConnection = self._open.enter_context(connection)
        self._last = 0
        self._session: str | None = None
        self._events: list[str] = []
        self.messages: list[str] = []
        self.requests: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        """Leave the page."""
        self._open.close()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers to a command of the protocol."""
        self._last += 1
        number = self._last
        session = {"sessionId": self._session} if self._session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **session}))
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=PATIENCE))
        if method := message.get("method"):
            self._events.append(method)
            self._note(method, message["params"])
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.consoleAPICalled":
            self.messages.append(" ".join(str(one.get("value")) for one in params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.messages.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.messages.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def go(self, address: str) -> None:
        """Load an address."""
        self._events.clear()
        self.ask("Page.navigate", url=address)
        while "Page.loadEventFired" not in self._events:
            self._receive()

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise's once it has one."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """What the first element that fits shows."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def texts(self, selector: str) -> list[str]:
        """What each element that fits and is visible shows."""
        script = "[...document.querySelectorAll(%s)].filter(one => one.checkVisibility()).map(one => one.innerText)"
        found: list[str] = self.run(script % json.dumps(selector))
        return found

    def click(self, selector: str) -> None:
        """A click of the mouse in the middle of the first element that fits."""
        x, y = self.run(f"({_MIDDLE})(document.querySelector({json.dumps(selector)}))")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, code: int, text: str = "") -> None:
        """A key; ``code`` is Windows' number of it."""
        about = {"key": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Text where the focus is."""
        self.ask("Input.insertText", text=text)

    def emulate(self, **media: str) -> None:
        """CSS media features such as ``prefers_color_scheme="dark"``."""
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def resize(self, width: int, height: int) -> None:
        """The size of the window, in CSS pixels."""
        size = {"width": width, "height": height}
        self.ask("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path) -> None:
        """What the window shows, as PNG."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))

    def print_pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])
