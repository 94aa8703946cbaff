"""box: a real systemd for flow tests, in a box of its own (tests/systemd-box).

A test file calls enter() first: outside it becomes `systemd-box run` of itself; inside it
returns, and the rest plays what an administrator does.  Nothing stays behind.
"""
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from baton import (BATON, BATONCTL, BUILD, FAULTY, LOAD, SOURCE, Answer, Client, Failure, Load,
                   check, children, equal, main, pid_alive, pid_state, wait_for)

SKIP = 77  # automake's
BOX = os.path.join(SOURCE, "tests", "systemd-box")
PASSED_ON = ("BUILD", "SOURCE", "LOAD", "BATON", "BATONCTL", "BATON_FAULTY", "PACKAGES", "ASAN_OPTIONS", "HOSTILE",
             "HOSTILE_TELLS")

MASTER = "/usr/local/sbin/baton"
CTL = "/usr/local/bin/batonctl"
FAULTS = MASTER + ".fault"
INI = "/usr/local/etc/baton/server.ini"
UNITS = "/etc/systemd/system"
UNIT = UNITS + "/baton.service"
DROP_IN = "/run/systemd/system/baton.service.d/test.conf"
TREE = "/srv/www"
WEB, ECHO, FILES = "127.0.0.1:8080", "127.0.0.1:7000", "127.0.0.1:80"
LOCAL = "/run/baton/web.sock"
SLOW = bool(os.environ.get("ASAN_OPTIONS"))

CONFIG = """
[server]
workers = 2
probation = 50ms
{server}

[drain]
deadline = {deadline}
cut_over = 50ms

[listen:web]
address = {web}
address = unix:/run/baton/web.sock
service = site

[service:site]
type = http
respond = hello, world

[listen:files]
address = 127.0.0.1:80
service = files

[service:files]
type = http
root = /srv/www

[listen:echo]
address = {echo}
service = echo

[service:echo]
type = echo
"""


# --- outside --------------------------------------------------------------------------------------

def skip(why):
    print(f"skip   {os.path.basename(sys.argv[0])}: {why}")
    sys.exit(SKIP)


def clean_up_after(parent, name, folder):
    """In a process of its own: end the box and remove the folder when parent has gone, however
    it went."""
    gone = os.pidfd_open(parent)
    if os.fork() != 0:
        os.close(gone)
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    select.select([gone], [], [])
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    os.execv(BOX, [BOX, "--name", name, "stop"])


def enter(folder=None):
    """Return inside of a box, in which the folder is seen, too; it is removed in the end."""
    if "SYSTEMD_BOX" in os.environ:
        return
    if os.geteuid() != 0:
        skip("a systemd of one's own needs root")
    name = f"baton-{os.getpid()}"
    os.environ["SYSTEMD_BOX_QUIET"] = "yes"
    tried = subprocess.run([BOX, "--name", name, "run", "true"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True)
    if tried.returncode != 0:
        skip("no box: " + (tried.stderr.strip().splitlines() or ["it says nothing"])[-1])
    clean_up_after(os.getpid(), name, folder)
    programs = (BATON, BATONCTL, FAULTY, LOAD)
    folders = {os.path.realpath(x) for x in (BUILD, SOURCE, *map(os.path.dirname, programs))}
    folders |= {folder} - {None}
    settings = [f"{key}={os.environ[key]}" for key in PASSED_ON if key in os.environ]
    command = [BOX, "--name", name]
    for shown in sorted(folders):
        command += ["--bind-ro", shown]
    command += ["run", "env", *settings, f"BUILD={BUILD}", "/usr/bin/python3"]
    os.execv(BOX, command + [os.path.abspath(sys.argv[0])] + sys.argv[1:])


# --- inside: what an administrator has ------------------------------------------------------------

def run(*args, code=0):
    """A command that must end with code (None: with any)."""
    r = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if code is not None and r.returncode != code:
        raise Failure(f"{' '.join(args)}: want exit {code}, got "
                      f"{Answer(r.returncode, r.stdout, r.stderr)}")
    return Answer(r.returncode, r.stdout, r.stderr)


def systemctl(*args, code=0):
    return run("systemctl", *args, code=code)


def show(key):
    return systemctl("show", "--value", "-p", key, "baton").out.strip()


def main_pid():
    return int(show("MainPID"))


def status():
    return json.loads(run(CTL, "status", "--json").out)


def generation():
    return status()["generation"]


def busy():
    return sum(g["busy"] for g in status()["generations"])


def worker_pids():
    return [w["pid"] for g in status()["generations"] for w in g["workers"]]


def suspended_child(pid):
    return next((child for child in children(pid) if pid_state(child) == "T"), None)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".tmp", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".tmp", path)


def configure(web=WEB, echo=ECHO, deadline="10s", server=""):
    write(INI, CONFIG.format(web=web, echo=echo, deadline=deadline, server=server))


def put(source, to):
    """As an installer does: a new file under the old name."""
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy(source, to + ".tmp")
    os.rename(to + ".tmp", to)


def drop_in(text):
    write(DROP_IN, "[Service]\n" + text + "\n")
    systemctl("daemon-reload")


class Journal:
    """What the unit says from now on."""

    def __init__(self):
        text = run("journalctl", "-n", "0", "--show-cursor").out
        self.cursor = re.search(r"-- cursor: (.*)", text).group(1)

    def read(self, *options):
        run("journalctl", "--sync")
        return run("journalctl", "--after-cursor", self.cursor, "-u", "baton", *options).out

    def text(self):
        return self.read("-o", "cat")

    def lines(self):
        return [json.loads(line) for line in self.read("-o", "json").splitlines()]

    def wait(self, words):
        wait_for(lambda: words in self.text(), f"the journal says '{words}'")


class Endpoint:
    """What a Client wants to know of a baton."""

    def __init__(self, address):
        self.address = address

    def endpoint(self, unused_name):
        host, port = self.address.rsplit(":", 1)
        return host, int(port)


def client(address=WEB):
    return Client(Endpoint(address))


def get(path="/", address=WEB):
    with client(address) as c:
        c.request(path, close=True)
        return c.answer()


def get_locally():
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(LOCAL)
        c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return c.recv(4096)


class Half:
    """A request that is in flight until it is let go."""

    def __init__(self):
        self.client = client()
        self.client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n12")
        wait_for(lambda: busy() > 0, "the request is in flight")

    def finish(self):
        self.client.send(b"34")
        equal(self.client.answer(), (200, b"hello, world\n"), "the answer of the request in flight")
        self.client.sock.close()


class Service:
    """baton.service from stopped to stopped, with a file of its own settings."""

    def __init__(self, dropped="", start=True, binary=BATON, **settings):
        self.start = start
        self.expected = []  # trouble that a test makes
        configure(**settings)
        put(binary, MASTER)
        extra = "Environment=ASAN_OPTIONS=detect_leaks=0\n" if SLOW else ""
        drop_in(extra + dropped)
        systemctl("reset-failed", "baton", code=None)
        self.journal = Journal()

    def __enter__(self):
        if self.start and systemctl("start", "baton", code=None).code != 0:
            raise Failure(f"baton does not start: {self.journal.text()[-2000:]}")
        self.pid = main_pid()
        return self

    def same(self):
        """Still the service that was started."""
        equal(main_pid(), self.pid, "MainPID")
        equal(show("NRestarts"), "0", "NRestarts")
        wait_for(lambda: show("ActiveState") == "active", "ActiveState is active")
        equal(show("SubState"), "running", "SubState")

    def __exit__(self, kind, value, tb):
        if kind is not None:
            sys.stderr.write(f"--- the journal\n{self.journal.text()[-6000:]}---\n")
        systemctl("stop", "baton.socket", "baton-echo.socket", code=None)
        systemctl("kill", "-s", "KILL", "baton", code=None)
        systemctl("stop", "baton", code=None)
        wait_for(lambda: show("ActiveState") in ("inactive", "failed"), "the unit is down")
        for path in (FAULTS, UNITS + "/baton.socket", UNITS + "/baton-echo.socket"):
            if os.path.exists(path):
                os.unlink(path)
        if kind is None:
            self.look_for_trouble()

    def look_for_trouble(self):
        for line in self.journal.text().splitlines():
            for word in ("panic", "AddressSanitizer", "runtime error", "the sandbox refused"):
                check(word not in line or word in self.expected, f"the journal has: {line}")


class Background:
    """A command whose end is waited for later."""

    def __init__(self, *args):
        self.begun = time.monotonic()
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)

    def end(self, code=0):
        """Wait for it; how long it took."""
        out, _ = self.process.communicate(timeout=30)
        equal(self.process.returncode, code, f"{' '.join(self.process.args)}: {out!r}")
        return time.monotonic() - self.begun


def load(*args, mode="new", target=WEB):
    if mode == "new":
        args = ("--rate", 300, "--line", "hello, world") + args
    before = status()["totals"]["requests"]
    running = Load(mode, target, "--clients", 32, *args)
    wait_for(lambda: status()["totals"]["requests"] > before + 20, "the load runs")
    return running


def install():
    """What `make install` does, but for the prefix of a box."""
    put(BATONCTL, CTL)
    put(os.path.join(SOURCE, "tools", "shutdown"), "/usr/local/bin/shutdown-baton")
    with open(os.path.join(SOURCE, "units", "baton.service.in"), encoding="utf-8") as f:
        text = f.read()
    for key, value in (("sbindir", "/usr/local/sbin"), ("bindir", "/usr/local/bin"),
                       ("sysconfdir", "/usr/local/etc")):
        text = text.replace(f"@{key}@", value)
    write(UNIT, text)
    write(TREE + "/page.html", "from a file\n")
    put(BATON, MASTER)
    configure()
    run("systemd-sysusers", "--inline", 'u baton - "baton, TCP services"')
    systemctl("enable", "-q", "baton")  # else systemd forgets how it ended


def install_sockets():
    """baton.socket as it is, and a second one as its head tells to make it."""
    with open(os.path.join(SOURCE, "units", "baton.socket"), encoding="utf-8") as f:
        text = f.read()
    write(UNITS + "/baton.socket", text)
    text = text.replace("127.0.0.1:8080", ECHO).replace("=web", "=echo")
    text = text.replace("[Socket]\n", "[Socket]\nService=baton.service\n")
    write(UNITS + "/baton-echo.socket", text)
    systemctl("daemon-reload")
