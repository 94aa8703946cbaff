#!/usr/bin/env python3
"""check_shutdown: tools/shutdown against processes that are called baton.

The fake is this file, run with --fake and its orders: it has the name, the signals and the
control socket (through the real batonctl) of a master, and writes down what happens to it. Its
steps wait for what the script does, never for time.

usage: check_shutdown.py [PATH-OF-BATONCTL]     (default $BATONCTL, then ./batonctl)
"""

import atexit
import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SHUTDOWN = os.path.join(HERE, "..", "..", "tools", "shutdown")
PATIENCE = 60  # seconds until something that hangs is a failure


# --- the fake -------------------------------------------------------------------------------------

class Fake:
    """orders: name; control: path or null; service: path of a listener that must be left alone;
    stop: what ends a stop: "term" (at once), "watcher" (somebody asked how it ends), "second",
    "never", "called off"; connections, cut; change: "commit", "refuse", "roll back", "die",
    "never"; old_asks: statuses until the old generation is gone (-1: never); mute: TERM is not
    noticed until it has been pending for a while; deaf: no handlers."""

    def __init__(self, orders):
        self.o = orders
        self.terms = 0
        self.stoppers = []
        self.gen = 3
        self.last = orders.get("last")
        self.cut = 10
        self.changing = 0  # statuses until the change is done
        self.waiters = []
        self.old_asks = 0
        self.sel = selectors.DefaultSelector()
        # without a buffer: signal handlers write, too
        self.log = open(orders["log"], "ab", buffering=0)
        ctypes.CDLL(None).prctl(15, orders.get("name", "baton").encode(), 0, 0, 0)
        wake_r, self.wake_w = os.pipe2(os.O_NONBLOCK)
        self.sel.register(wake_r, selectors.EVENT_READ, lambda: os.read(wake_r, 100))
        signal.set_wakeup_fd(self.wake_w)
        self.listeners = [self.listen(orders[x], x) for x in ("control", "service")
                          if orders.get(x)]
        for sig in (signal.SIGHUP, signal.SIGUSR2):
            signal.signal(sig, self.on_change)
        # as the master does: two that come while python is busy would be one call of a handler
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        self.log.write(b"ready\n")

    def listen(self, path, kind):
        s = socket.socket(socket.AF_UNIX)
        s.bind(path + ".new")  # as the master does
        s.listen(8)
        os.rename(path + ".new", path)
        self.sel.register(s, selectors.EVENT_READ, lambda: self.on_accept(s, kind))
        return s

    def run(self):
        while True:
            for key, _ in self.sel.select(0.005):
                key.data()
            if signal.SIGTERM not in signal.sigpending():
                continue
            for _ in range(300 if self.o.get("mute") else 0):
                open("/proc/self/status", encoding="ascii").close()
            self.o["mute"] = False
            signal.sigwait([signal.SIGTERM])
            self.on_term()

    # what happens

    def on_accept(self, listener, kind):
        conn, _ = listener.accept()
        if kind == "service":
            self.log.write(b"service\n")
            return
        request = json.loads(conn.makefile().readline())
        self.log.write(f"{request['verb']}{' now' if request['now'] else ''}\n".encode())
        getattr(self, "do_" + request["verb"])(conn, request)

    def on_term(self):
        self.terms += 1
        self.log.write(b"TERM\n")
        self.converge()

    def on_change(self, sig, _):
        self.log.write(b"HUP\n" if sig == signal.SIGHUP else b"USR2\n")
        self.begin("reload" if sig == signal.SIGHUP else "upgrade")

    def begin(self, what):
        if self.o["change"] == "die":
            os._exit(1)
        self.last_what = what
        self.changing = 1000000 if self.o["change"] == "never" else 2
        if self.o["change"] == "at once":
            self.end_change("refused", "a.ini:1: \"bad\"\na.ini:2: } worse\\")

    def end_change(self, outcome, reason):
        self.changing = 0
        self.last = {"what": self.last_what, "outcome": outcome, "reason": reason, "took_ms": 5}
        if outcome == "committed":
            self.gen += 1
            self.old_asks = self.o.get("old_asks", 1)
            self.cut += self.o.get("cut", 0)

    def step_change(self):
        self.changing -= 1
        if self.changing > 0:
            return
        if self.o["change"] == "commit":
            self.end_change("committed", "")
        elif self.o["change"] == "refuse":
            self.end_change("refused", "port taken")
        elif self.o["change"] == "roll back":
            self.end_change("rolled_back", "worker died")

    # requests

    def do_status(self, conn, _):
        if self.changing:
            self.step_change()
        elif self.old_asks > 0:
            self.old_asks -= 1
        state = "stopping" if self.terms else "reloading" if self.changing else "running"
        worker = {"slot": 0, "birth": 1, "pid": 1, "state": "active"}
        n = self.o.get("connections", 12)
        gens = [{"id": self.gen, "state": "active", "version": "1", "age_ms": 1,
                 "workers": [worker, worker], "new": 1 if n else 0, "idle": max(n - 2, 0),
                 "busy": 1 if n else 0}]
        if self.old_asks != 0:
            gens.insert(0, dict(gens[0], id=self.gen - 1, state="draining", new=0, idle=0,
                                busy=2))
        doc = {"pid": self.o.get("pid", os.getpid()), "version": "1", "uptime_ms": 1,
               "state": state, "generation": self.gen, "generations": gens,
               "listeners": [{"name": "web", "address": "[::1]:80", "service": "\"cut\": 99"}],
               "last": self.last, "totals": {"accepted": 1, "closed": 1, "cut": self.cut}}
        self.answer(conn, 0, "x", doc)

    def do_stop(self, conn, request):
        self.stoppers.append(conn)
        if not self.terms:
            self.terms = 1
        if request["now"]:
            self.terms = 2
        if self.o["stop"] == "called off":
            self.terms = 0
            self.answer(conn, 1, "the stop was called off")
        self.converge()

    def do_reload(self, conn, request):
        self.begin(request["verb"])
        while self.changing and self.o["change"] != "never":
            self.step_change()
        if self.changing:
            self.waiters.append(conn)
            return
        if self.last["outcome"] != "committed":
            self.answer(conn, 1, self.last["reason"])
        elif self.old_asks < 0:
            self.waiters.append(conn)
        else:
            self.old_asks = 0
            cut = self.o.get("cut", 0)
            self.answer(conn, 4 if cut else 0, f"generation {self.gen} serves; {cut} "
                        "connections of the ones before it had to be cut")

    do_upgrade = do_reload

    @staticmethod
    def answer(conn, code, text, data=None):
        with conn:
            conn.sendall(json.dumps({"exit": code, "text": text, "data": data}).encode() + b"\n")

    def converge(self):
        stop = self.o["stop"]
        if stop == "term" and self.terms or stop == "second" and self.terms > 1 or \
                stop == "watcher" and self.terms and self.stoppers or \
                stop == "second and watcher" and self.terms > 1 and self.stoppers:
            self.farewell()

    def farewell(self):
        cut = self.o.get("cut", 0)
        text = f"stopped; {cut} connection{'' if cut == 1 else 's'} had to be cut" if cut \
            else "stopped; every connection was drained"
        for conn in self.stoppers:
            if self.o.get("last_word", True):
                self.answer(conn, 4 if cut else 0, text)
        self.log.write(b"end\n")
        os._exit(0)


# --- the cases ------------------------------------------------------------------------------------

def equal(got, want):
    if got != want:
        raise AssertionError(f"{got!r} is not {want!r}")


def within(part, whole):
    if part not in whole:
        raise AssertionError(f"{part!r} is not in {whole!r}")


class Baton:
    """A running fake, in a directory of its own."""

    def __init__(self, **orders):
        self.dir = tempfile.mkdtemp(prefix="check_shutdown.")
        os.chmod(self.dir, 0o755)
        self.socket = os.path.join(self.dir, "control.sock")
        self.log = os.path.join(self.dir, "log")
        orders = dict({"control": self.socket, "log": self.log, "stop": "watcher",
                       "change": "commit"}, **orders)
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--fake",
                                         json.dumps(orders)])
        self.pid = str(self.process.pid)
        self.until("ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)

    def events(self):
        try:
            with open(self.log, encoding="ascii") as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def signals(self):
        return [x for x in self.events() if x in ("TERM", "HUP", "USR2")]

    def until(self, event):
        end = time.monotonic() + PATIENCE
        while event not in self.events():
            if time.monotonic() > end:
                raise AssertionError(f"no {event} but {self.events()}")
            time.sleep(0.001)  # a look at the log, again and again

    def ended(self):
        return self.process.poll() is not None

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path


class Run:
    def __init__(self, *args, env=None, user=None):
        script, batonctl = SHUTDOWN, BATONCTL
        if user is not None:  # where they were built, that user may not come
            folder = tempfile.mkdtemp(prefix="check_shutdown.")
            atexit.register(shutil.rmtree, folder)
            os.chmod(folder, 0o755)
            script, batonctl = shutil.copy(script, folder), shutil.copy(batonctl, folder)
        done = subprocess.run(["bash", script, *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE,
                              env={**os.environ, "BATONCTL": batonctl, "LC_ALL": "C",
                                   **(env or {})}, user=user, cwd="/")
        self.code = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()

    def failed(self, code, words):
        equal((self.code, self.out), (code, ""))
        within(words, self.err)
        equal(self.err.count("shutdown:") <= 1, True)

    def told(self, code, *words):
        if self.err:
            raise AssertionError(self.err)
        equal(self.code, code)
        for w in words:
            within(w, self.out)
        equal(self.out.count("\n"), 1)


cases = []


def case(fn):
    cases.append(fn)
    return fn


@case
def usage():
    for args, words in [(("--frob",), "unknown argument '--frob'"), (("--wait",), "--wait needs"),
                        (("--wait", "soon"), "not 'soon'"), (("--wait", "-1"), "not '-1'"),
                        (("--now", "--reload"), "--now and --reload exclude"),
                        (("--pid", "1", "--unit", "x"), "more than one target"),
                        (("--pid", "x"), "'x' is not a pid"), (("--pid", ""), "--pid needs"),
                        (("--pid", "0"), "'0' is not a pid")]:
        Run(*args).failed(2, words)
    run = Run("--help")
    equal(run.code, 0)
    for word in ("--graceful", "--now", "--reload", "--upgrade", "--wait SECONDS",
                 "--pid-file FILE", "--pid PID", "--unit NAME", "--socket SOCKET"):
        within(word, run.out)


@case
def nobody_there():
    ended = subprocess.Popen(["true"])
    ended.wait()
    with Baton() as b:
        Run("--pid-file", b.dir + "/none").failed(3, "no such pid file")
        Run("--pid-file", b.file("garbage", "x\n")).failed(1, "does not hold a pid")
        Run("--pid-file", b.file("empty", "")).failed(1, "does not hold a pid")
        Run("--pid-file", b.dir).failed(1, "cannot read pid file")
        Run("--pid-file", b.file("stale", f"{ended.pid}\n")).failed(3, "stale pid file")
        Run("--pid", str(ended.pid)).failed(3, f"no process {ended.pid}")
        Run("--socket", b.dir + "/none").failed(3, "No such file or directory")
        equal(b.signals(), [])


@case
def not_a_baton():
    for name, words in (("sleep", "(sleep) is not a baton"), ("batonctl", "is not a baton"),
                        ("baton-worker", "is a worker of baton")):
        with Baton(name=name) as b:
            Run("--pid", b.pid).failed(3, words)
            Run("--pid-file", b.file("pid", b.pid)).failed(3, "nothing was sent")
            equal((b.signals(), b.ended()), ([], False))


@case
def a_zombie_is_gone():
    with Baton(stop="term") as b:
        os.kill(b.process.pid, signal.SIGTERM)
        b.until("end")
        os.waitid(os.P_PID, b.process.pid, os.WEXITED | os.WNOWAIT)
        Run("--pid", b.pid).failed(3, "no process")


@case
def no_permission():
    if os.geteuid() != 0:
        return "only root can be two users"
    with Baton() as b:
        Run("--pid", b.pid, user=61236).failed(1, "no permission to signal")
        Run("--socket", b.socket, user=61236).failed(3, "Permission denied")
        equal(b.ended(), False)
    return None


@case
def graceful_by_pid():
    with Baton() as b:
        Run("--pid", b.pid).told(0, f"baton (pid {b.pid}) stopped after 0.",
                                 "12 connections before, 12 drained, 0 cut")
        equal(b.signals(), ["TERM"])
    with Baton(name="baton-0.2", cut=5) as b:
        Run("--graceful", "--wait", "50", "--pid-file", b.file("pid", b.pid + "\n")).told(
            4, "12 connections before, 7 drained, 5 cut")
        equal(b.signals(), ["TERM"])


@case
def numbers_that_are_unknown():
    with Baton(control=None, stop="term") as b:
        Run("--pid", b.pid).told(0, "connections unknown (no control socket was found)")
    with Baton(stop="term") as b:
        Run("--pid", b.pid, env={"BATONCTL": "/none"}).told(0, "(batonctl is not found)")
    with Baton(last_word=False) as b:  # killed while it drained
        Run("--pid", b.pid).told(0, "12 connections before, how many were cut is unknown")
    with Baton(stop="term", connections=0) as b:
        Run("--pid", b.pid).told(0, "0 connections before, 0 drained, 0 cut")


@case
def the_service_is_left_alone():
    directory = tempfile.mkdtemp(prefix="check_shutdown.")
    with Baton(service=directory + "/site.sock") as b:
        Run("--pid", b.pid).told(0, "12 drained")
        equal("service" in b.events(), False)
    shutil.rmtree(directory)


@case
def now_by_pid():
    for mute in (False, True):  # two TERMs at once would be one
        with Baton(stop="second", mute=mute, control=None) as b:
            Run("--now", "--pid", b.pid).told(0, "stopped after")
            equal(b.signals(), ["TERM", "TERM"])
    with Baton(stop="second and watcher", mute=True, cut=12) as b:
        Run("--now", "--pid", b.pid).told(4, "12 connections before, 0 drained, 12 cut")
    with Baton(stop="second", mute=True, last_word=False) as b:
        Run("--now", "--pid", b.pid).told(4, "how many were cut is unknown")
    with Baton(stop="second", mute=True) as b:
        Run("--now", "--wait", "0", "--pid", b.pid).told(0, "sent TERM")
        b.until("end")


@case
def the_time_is_over():
    with Baton(stop="never") as b:
        Run("--wait", "0.3", "--pid", b.pid).failed(
            1, f"baton (pid {b.pid}) still runs after 0.30 s; 12 connections are left")
        Run("--wait", "0.3", "--socket", b.socket).failed(1, "still runs after 0.30 s; 12")
        equal((b.signals(), b.ended()), (["TERM"], False))
    with Baton(control=None) as b:
        b.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, b.process.pid, os.WSTOPPED | os.WNOWAIT)
        Run("--wait", "0.2", "--pid", b.pid).failed(1, "the process is suspended")


@case
def not_waiting():
    with Baton(stop="term") as b:
        Run("--wait", "0", "--pid", b.pid).told(0, f"sent TERM to baton (pid {b.pid})")
        b.until("end")
        equal([x for x in b.events() if x in ("status", "stop")], [])
    with Baton(stop="term") as b:
        Run("--wait", "0", "--socket", b.socket).told(0, f"sent TERM to baton (pid {b.pid})")
        b.until("end")
    with Baton() as b:
        Run("--wait", "0", "--reload", "--pid", b.pid).told(0, "sent HUP")
        b.until("HUP")
        Run("--wait", "0", "--upgrade", "--socket", b.socket).told(0, "sent USR2")
        b.until("USR2")
    with Baton(pid=os.getpid()) as b:  # of another namespace: the number means another process
        Run("--wait", "0", "--socket", b.socket).failed(3, "is not a baton; nothing was sent")


@case
def called_off():
    with Baton(stop="called off") as b:
        Run("--pid", b.pid).failed(1, "the stop was called off")
        Run("--socket", b.socket).failed(1, "the stop was called off")
        equal(b.ended(), False)


@case
def by_socket():
    with Baton() as b:
        Run("--socket", b.socket).told(0, f"baton (pid {b.pid}) stopped after",
                                       "12 connections before, 12 drained, 0 cut")
        equal(b.signals(), [])
        equal("stop" in b.events(), True)
    with Baton(cut=1) as b:
        Run("--now", "--wait", "50", "--socket", b.socket).told(4, "11 drained, 1 cut")
        equal("stop now" in b.events(), True)
    with Baton() as b:  # the default place
        Run(env={"RUNTIME_DIRECTORY": b.dir}).told(0, "12 drained")
    with Baton(last_word=False) as b:
        Run("--socket", b.socket).failed(1, "hung up before it had answered")
    with Baton() as b:
        Run("--socket", b.socket, env={"BATONCTL": "/none"}).failed(1, "batonctl is not found")


@case
def changes_by_signal():
    for action, signal_name in (("reload", "HUP"), ("upgrade", "USR2")):
        with Baton(old_asks=3) as b:
            Run(f"--{action}", "--pid", b.pid).told(
                0, f"{action} committed, generation 4 serves",
                "12 connections before, 12 drained, 0 cut")
            equal(b.signals(), [signal_name])
            Run(f"--{action}", "--pid", b.pid).told(0, "generation 5 serves")
        with Baton(cut=2) as b:
            Run(f"--{action}", "--pid", b.pid).told(4, "10 drained, 2 cut")
        with Baton(change="refuse") as b:
            Run(f"--{action}", "--pid", b.pid).failed(1, f"{action} refused: port taken")
            Run(f"--{action}", "--pid", b.pid).failed(1, f"{action} refused: port taken")
        with Baton(change="roll back") as b:
            Run(f"--{action}", "--pid", b.pid).failed(1, f"{action} rolled back: worker died")
        with Baton(change="die") as b:
            Run(f"--{action}", "--pid", b.pid).failed(1, f"ended during the {action}")
        with Baton(change="never") as b:
            Run(f"--{action}", "--wait", "0.3", "--pid", b.pid).failed(
                1, f"no outcome of the {action} after 0.30 s")
        with Baton(old_asks=-1) as b:
            Run(f"--{action}", "--wait", "1.5", "--pid", b.pid).failed(
                1, "generation 4 serves, but older ones are not gone after 1.50 s; 14")


@case
def an_outcome_that_looks_like_the_one_before():
    with Baton(change="at once") as b:
        for _ in range(2):
            Run("--reload", "--pid", b.pid).failed(
                1, 'reload refused: a.ini:1: "bad"\na.ini:2: } worse\\\n')


@case
def a_change_needs_the_control_socket():
    with Baton(control=None) as b:
        Run("--reload", "--pid", b.pid).failed(1, "no control socket of process")
        equal(b.signals(), [])
    with Baton() as b:
        Run("--upgrade", "--pid", b.pid, env={"BATONCTL": "/none"}).failed(1, "nothing was sent")
        equal(b.signals(), [])
    with Baton() as b:
        b.process.send_signal(signal.SIGTERM)
        b.until("TERM")
        Run("--reload", "--pid", b.pid).failed(1, "is stopping")


@case
def changes_by_socket():
    for action in ("reload", "upgrade"):
        with Baton() as b:
            Run(f"--{action}", "--socket", b.socket).told(
                0, f"{action} committed, generation 4 serves",
                "12 connections before, 12 drained, 0 cut")
            equal(b.signals(), [])
        with Baton(cut=2) as b:
            Run(f"--{action}", "--wait", "50", "--socket", b.socket).told(4, "10 drained, 2 cut")
        with Baton(change="refuse") as b:
            Run(f"--{action}", "--socket", b.socket).failed(1, "port taken")
        with Baton(change="never") as b:
            Run(f"--{action}", "--wait", "0.3", "--socket", b.socket).failed(1, "no outcome of")
        with Baton(old_asks=-1) as b:
            Run(f"--{action}", "--wait", "0.3", "--socket", b.socket).failed(
                1, "generation 4 serves, but older ones are not gone")


@case
def by_unit():
    def systemctl(b, text, code=0):
        path = b.file("systemctl", f"#!/bin/sh\necho \"$*\" >>{b.dir}/asked\nprintf '{text}'\n"
                      f"exit {code}\n")
        os.chmod(path, 0o755)
        return {"PATH": b.dir + ":" + os.environ["PATH"]}
    with Baton() as b:
        env = systemctl(b, "LoadState=not-found\\nMainPID=0\\n")
        Run("--unit", "nope", env=env).failed(3, "there is no unit nope")
        env = systemctl(b, "MainPID=0\\nLoadState=loaded\\n")
        Run("--unit", "baton", env=env).failed(3, "unit baton is not running")
        env = systemctl(b, "no bus", 1)
        Run("--unit", "baton", env=env).failed(1, "systemctl: no bus")
        env = systemctl(b, f"MainPID={os.getpid()}\\nLoadState=loaded\\n")
        Run("--unit", "baton", env=env).failed(3, "is not a baton")
        env = systemctl(b, f"MainPID={b.pid}\\nLoadState=loaded\\n")
        Run("--unit", "baton", "--reload", env=env).told(0, "generation 4 serves")
        Run("--unit", "baton.service", env=env).told(0, "12 drained, 0 cut")
        with open(b.dir + "/asked", encoding="ascii") as f:
            within("-- baton.service\n", f.read())


def main():
    failed = 0
    if not os.access(BATONCTL, os.X_OK):
        print(f"not ok - {BATONCTL} is not there")
        return 1
    for fn in cases:
        name = fn.__name__.replace("_", " ")
        try:
            skipped = fn()
            print(f"ok - {name}" + (f" # skipped: {skipped}" if skipped else ""), flush=True)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            at = e.__traceback__.tb_next.tb_lineno
            print(f"not ok - {name}: line {at}: {type(e).__name__}: {e}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fake"]:
        Fake(json.loads(sys.argv[2])).run()
    BATONCTL = os.path.abspath(
        sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BATONCTL", "./batonctl"))
    sys.exit(main())
