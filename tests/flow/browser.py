"""Chromium without a window, driven over the DevTools protocol through a pair of pipes.

It notes what the page asks for, says on its console, and violates.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from baton import Failure, wait_for

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions", "--no-first-run",
         "--no-default-browser-check", "--hide-scrollbars", "--mute-audio",
         "--remote-debugging-pipe")
START = 60.0  # seconds for the browser to answer
ANSWER = 30.0


def program():
    """Where Chromium is; None: nowhere."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="baton-browser-")
        to_read, self.to = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in os.pipe())
        self.fro, to_write = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in os.pipe())

        def wire():
            os.dup2(to_read, 3)
            os.dup2(to_write, 4)

        self.process = subprocess.Popen(
            [program(), *FLAGS, f"--user-data-dir={self.dir}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=wire, pass_fds=(3, 4), start_new_session=True,
            env=dict(os.environ, HOME=self.dir))
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.last_id, self.answers = b"", 0, {}
        self.session = None
        self.requests, self.console, self.violations = [], [], []
        target = self.call("Target.createTarget", {"url": "about:blank"}, START)["targetId"]
        self.session = self.call("Target.attachToTarget",
                                 {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        for fd in (self.to, self.fro):
            os.close(fd)
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- the protocol: JSON texts that end in NUL

    def receive(self, seconds):
        """One message, within so many seconds, is dealt with; False: none came."""
        while b"\0" not in self.buffer:
            if not select.select([self.fro], [], [], max(seconds, 0))[0]:
                return False
            data = os.read(self.fro, 1 << 20)
            if not data:
                raise Failure("the browser has ended")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        if "id" in message:
            self.answers[message["id"]] = message
        else:
            self.note(message["method"], message["params"])
        return True

    def note(self, method, p):
        if method == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.console.append(json.dumps(p["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(json.dumps(p["exceptionDetails"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.console.append(f"{p['entry']['text']} {p['entry'].get('url', '')}")
        elif method == "Audits.issueAdded":
            if p["issue"]["code"] == "ContentSecurityPolicyIssue":
                self.violations.append(json.dumps(p["issue"]["details"]))

    def call(self, method, params=None, seconds=ANSWER):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params or {}}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + seconds
        while self.last_id not in self.answers:
            if not self.receive(end - time.monotonic()) and time.monotonic() > end:
                raise Failure(f"the browser does not answer {method}")
        answer = self.answers.pop(self.last_id)
        if "error" in answer:
            raise Failure(f"{method}: {answer['error']}")
        return answer["result"]

    # --- the page

    def open(self, url):
        self.call("Page.navigate", {"url": url})
        wait_for(lambda: self.run("document.readyState") == "complete", f"{url} is loaded")

    def run(self, script):
        """The value of an expression in the page."""
        r = self.call("Runtime.evaluate", {"expression": script, "returnByValue": True})
        if "exceptionDetails" in r:
            raise Failure(f"{script}: {r['exceptionDetails']}")
        return r["result"].get("value")

    def text(self, selector):
        """What stands there; "" if there is no such element."""
        return self.run(f"(document.querySelector({json.dumps(selector)}) || {{}}).innerText || ''")

    def has(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)}) !== null")

    def wait(self, expression, text):
        try:
            wait_for(lambda: self.run(expression), f"the page: {text}")
        except Failure as e:
            raise Failure(f"{e}; it says: {self.text('body')!r}") from None

    def look(self, width, scheme):
        """Be a screen of that width with that preference."""
        self.call("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600})
        self.call("Emulation.setEmulatedMedia",
                  {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def key(self, name):
        """A key is pressed and let go."""
        code = {"Tab": 9, "Enter": 13}[name]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent",
                      {"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code,
                       **({"text": "\r"} if name == "Enter" and kind == "keyDown" else {})})

    def screenshot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        shot = self.call("Page.captureScreenshot", {
            "format": "png", "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}})
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))
