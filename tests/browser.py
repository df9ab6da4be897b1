"""A headless Chromium, driven over its DevTools pipe: no driver program and no package is needed."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60
FLAGS = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --remote-debugging-pipe
"""
KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Browser:
    """One process, and one page in it; requests that would leave the machine are counted in `page.requests`."""

    def __init__(self, directory):
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in (theirs_read, theirs_write)]

        def take_pipes():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        environment = {name: value for name, value in os.environ.items() if name != "PARW2V_TESTS"}
        self.process = subprocess.Popen(
            [CHROMIUM, *FLAGS.split(), f"--user-data-dir={directory}", "about:blank"],
            env={**environment, "HOME": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            close_fds=False,
            preexec_fn=take_pipes,
        )
        for fd in (theirs_read, theirs_write, *high):
            os.close(fd)
        self.read_fd, self.write_fd = ours_read, ours_write
        self.number, self.buffer, self.replies, self.events = 0, b"", {}, []

    def close(self):
        os.close(self.write_fd)
        os.close(self.read_fd)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # the session that it was started in
            self.process.wait()

    def send(self, method, session=None, **parameters):
        """Give a command and return its result."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write_fd, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while number not in self.replies:
            self._receive(deadline)
        reply = self.replies.pop(number)
        assert "error" not in reply, f"{method}: {reply['error']}"
        return reply["result"]

    def _receive(self, deadline):
        left = deadline - time.monotonic()
        assert left > 0, "the browser does not answer"
        assert select.select([self.read_fd], [], [], left)[0], "the browser does not answer"
        part = os.read(self.read_fd, 1 << 20)
        assert part, "the browser has gone"
        *messages, self.buffer = (self.buffer + part).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self.replies[message["id"]] = message
            else:
                self.events.append(message)

    def page(self):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, target, session)


class Page:
    """A tab."""

    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            self.do(f"{domain}.enable")
        self.size(1280, 800)

    def do(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def close(self):
        self.browser.send("Target.closeTarget", targetId=self.target)

    def size(self, width, height, scale=1, mobile=False):
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def prefer(self, **features):
        media = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.do("Emulation.setEmulatedMedia", features=media)

    def open(self, address):
        self.do("Page.navigate", url="about:blank")
        self.browser.events.clear()
        self.do("Page.navigate", url=str(address))
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        self.frames(2)

    def value(self, expression):
        """The value of an expression, awaited if it is a promise."""
        found = self.do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not self.value(condition):
            assert time.monotonic() < deadline, f"still waiting for {condition}"

    def frames(self, number):
        """Let so many frames be drawn; returns the milliseconds between them."""
        return self.value(
            f"""new Promise((done) => {{
              const times = [];
              const next = (now) => {{ times.push(now);
                if (times.length > {number}) done(times.slice(1).map((t, i) => t - times[i]));
                else requestAnimationFrame(next); }};
              requestAnimationFrame(next);
            }})"""
        )

    def key(self, key, down=True, up=True):
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else None)
        code = KEYS.get(key, ord(key[0]) if len(key) == 1 else 0)
        parameters = {"key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        if down:
            self.do("Input.dispatchKeyEvent", type="keyDown", **parameters)
        if up:
            self.do("Input.dispatchKeyEvent", type="keyUp", **parameters)

    def type(self, text):
        self.do("Input.insertText", text=text)

    def mouse(self, kind, x, y, **more):
        self.do("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def click(self, x, y):
        for kind in ("Moved", "Pressed", "Released"):
            more = {} if kind == "Moved" else {"button": "left", "clickCount": 1}
            self.mouse(kind, x, y, **more)

    def click_on(self, selector):
        x, y = self.value(
            f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        self.click(x, y)

    def picture(self, path=None):
        """PNG bytes of what is seen; also written to `path`."""
        image = base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])
        if path:
            path.write_bytes(image)
        return image

    @property
    def complaints(self):
        """What the page logged as an error or warning, or threw."""
        self.value("0")
        return [
            event["params"]
            for event in self._events()
            if event["method"] == "Runtime.exceptionThrown"
            or (event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] in ("error", "warning"))
            or (event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning"))
        ]

    @property
    def requests(self):
        """Addresses asked for since `open`, the page itself and data in it left out."""
        urls = [e["params"]["request"]["url"] for e in self._events() if e["method"] == "Network.requestWillBeSent"]
        return [url for url in urls[1:] if not url.startswith("data:")]

    def _events(self):
        return [event for event in self.browser.events if event.get("sessionId") == self.session]

    def metrics(self):
        return {entry["name"]: entry["value"] for entry in self.do("Performance.getMetrics")["metrics"]}
