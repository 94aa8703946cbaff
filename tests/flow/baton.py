"""What flow tests are written with: a baton of one's own, and facts to wait for.

Every test gets a fresh directory, a configuration with ports chosen by the
kernel, and a baton that is gone when the test ends.  Nothing here sleeps for a
guess: `wait_for` polls a fact and fails with its text when it does not come.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.environ.get("BUILD", os.getcwd())
BATON = os.environ.get("BATON", os.path.join(BUILD, "baton"))
BATONCTL = os.environ.get("BATONCTL", os.path.join(BUILD, "batonctl"))
FAULTY = os.environ.get("BATON_FAULTY", os.path.join(BUILD, "baton-faulty"))
LOAD = os.environ.get("LOAD", os.path.join(BUILD, "tests", "load"))
SOURCE = os.environ.get("SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

PATIENCE = 20.0  # seconds until a fact that does not come is a failure
BODY = "hello, world\n"


class Failure(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


def equal(got, want, text):
    if got != want:
        raise Failure(f"{text}: got {got!r}, want {want!r}")


def wait_for(fact, text, patience=PATIENCE):
    """Call fact until it is true; its value.  text: what is waited for."""
    begin = time.monotonic()
    while True:
        value = fact()
        if value:
            return value
        waited = time.monotonic() - begin
        if waited > patience:
            raise Failure(f"waited {patience:g} s in vain: {text}")
        time.sleep(min(max(waited / 20, 0.005), 0.03))  # asking costs the asked, too


def pid_alive(pid):
    """A process that is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pid_state(pid):
    """"R", "S", "T", ...; None: it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu(pid):
    """Seconds of processor time that a process has used."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(x) for x in f.read().split()]
    except FileNotFoundError:
        return []


class Answer:
    """What a batonctl run said."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}, stdout {self.out!r}, stderr {self.err!r}"


class Baton:
    """A running baton in a directory of its own."""

    CONFIG = """
[server]
workers = {workers}
control = {dir}/control.sock
user = {user}
start_timeout = {start_timeout}
probation = {probation}
max_generations = {max_generations}
{server}

[drain]
deadline = {deadline}
cut_over = {cut_over}
lame_duck = {lame_duck}

[listen:web]
address = 127.0.0.1:0
service = site
{listen}

[service:site]
type = http
respond = hello, world
{site}

[listen:echo]
address = 127.0.0.1:0
service = echo

[service:echo]
type = echo
{more}
"""
    DEFAULTS = dict(
        workers="2", user="root" if os.geteuid() == 0 else "", start_timeout="10s",
        probation="50ms", max_generations="8", server="", deadline="10s", cut_over="100ms",
        lame_duck="0s", listen="", site="", more="")

    def __init__(self, binary=None, argv0=None, config=None, cwd=None, env=None, **settings):
        self.dir = tempfile.mkdtemp(prefix="baton-test-")
        os.chmod(self.dir, 0o755)
        self.control = os.path.join(self.dir, "control.sock")
        self.conf = os.path.join(self.dir, "server.ini")
        self.logname = os.path.join(self.dir, "log")
        self.settings = dict(self.DEFAULTS, **settings)
        self.write(config)
        self.binary = binary or BATON
        self.argv0 = argv0
        self.cwd = cwd
        self.env = dict(os.environ, **(env or {}))
        self.process = None

    # --- files

    def write(self, text=None, **settings):
        """Write the configuration anew, with other settings or another text."""
        self.settings.update(settings)
        self.endpoints = {}
        if text is None:
            values = dict(self.settings, dir=self.dir)
            text = self.CONFIG.format(**values)
            if not values["user"]:
                text = text.replace("user = \n", "")
        with open(self.conf, "w") as f:
            f.write(text)

    def path(self, name):
        return os.path.join(self.dir, name)

    def log(self):
        if not os.path.exists(self.logname):
            return ""
        with open(self.logname, errors="replace") as f:
            return f.read()

    def copy_binary(self, name, faults=None, source=None):
        """A copy of the (faulty) test build beside this baton's files."""
        to = self.path(name)
        shutil.copy(source or FAULTY, to + ".tmp")
        os.rename(to + ".tmp", to)
        self.faults(name, faults or {})
        return to

    def faults(self, name, faults):
        """Order faults of a copied binary: {place: action}."""
        with open(self.path(name) + ".fault.tmp", "w") as f:
            f.writelines(f"{place}={action}\n" for place, action in faults.items())
        os.rename(self.path(name) + ".fault.tmp", self.path(name) + ".fault")

    # --- life

    def start(self, wait=True):
        with open(self.logname, "ab") as log:
            self.process = subprocess.Popen(
                [self.argv0 or self.binary, "-c", self.conf],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.cwd, env=self.env)
        self.pid = self.process.pid
        if wait:
            wait_for(self.is_serving, "baton serves")
        return self

    def is_serving(self):
        if self.process.poll() is not None:
            raise Failure(f"baton ended with {self.process.returncode}: {self.log()[-500:]}")
        if not os.path.exists(self.control):
            return False
        try:
            status = self.status()
        except Failure:
            return False
        states = {w["state"] for g in status["generations"] for w in g["workers"]}
        return status["state"] == "running" and states == {"active"}  # they have their sockets

    def signal(self, sig):
        os.kill(self.pid, sig)

    def wait_exit(self, patience=PATIENCE):
        """Wait for the end; the exit status."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failure(f"baton is still there after {patience:g} s")

    def ended_within(self, seconds, since):
        """Wait for the end and return how long it took after `since`."""
        self.wait_exit()
        return time.monotonic() - since

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, tb):
        try:
            if kind is not None:
                sys.stderr.write(f"--- log of baton in {self.dir}\n{self.log()[-20000:]}---\n")
                self.tell_of_itself()
            self.kill()
            if kind is None:
                self.look_for_trouble()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def tell_of_itself(self):
        """Who holds what, for whoever reads of the failure."""
        for verb in ("status", "drain", "conns"):
            try:
                answer = self.ctl(verb, timeout=5)
            except subprocess.TimeoutExpired:
                return
            sys.stderr.write(f"--- {verb}\n{answer.out[:4000]}{answer.err}---\n")
        for pid in filter(pid_alive, (self.pid, *children(self.pid))):
            sys.stderr.write(f"--- descriptors of {pid}\n{read_fds(pid)}\n---\n")

    never = ["the sandbox refused"]  # nothing that workers do is outside of it

    def look_for_trouble(self):
        """A sanitizer may report the fault that was ordered; a panic is never in order."""
        text = self.log()
        words = ["panic at ", *self.never]
        if "fault injected" not in text:
            words += ["AddressSanitizer", "runtime error", "LeakSanitizer"]
        for line in text.splitlines():
            check(not any(word in line for word in words), f"the log has: {line}")

    def kill(self):
        """End everything that this baton has started."""
        if self.process is None:
            return
        pids = children(self.pid)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    # --- questions and orders

    def ctl(self, *args, timeout=60):
        r = subprocess.run([BATONCTL, "-s", self.control, *args], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=timeout)
        return Answer(r.returncode, r.stdout, r.stderr)

    def ctl_background(self, *args):
        return subprocess.Popen([BATONCTL, "-s", self.control, *args],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def do(self, *args, code=0):
        """A verb that must end with code."""
        answer = self.ctl(*args)
        if answer.code != code:
            raise Failure(f"batonctl {' '.join(args)}: want exit {code}, got {answer}")
        return answer

    def status(self):
        """Asked for by hand: it is asked for very often, and another process has its price."""
        try:
            with Raw(self) as c:
                c.ask("status")
                answer = c.answer()
        except OSError as e:
            raise Failure(f"no status: {e}") from None
        equal(answer["exit"], 0, "exit of status")
        return answer["data"]

    def totals(self):
        return self.status()["totals"]

    def address(self, name="web", index=0):
        found = [l["address"] for l in self.status()["listeners"] if l["name"] == name]
        check(len(found) > index, f"no listener {name}")
        return found[index]

    def endpoint(self, name="web"):
        """Asked for once: a listener keeps its port until the file is written anew."""
        if name not in self.endpoints:
            host, port = self.address(name).rsplit(":", 1)
            self.endpoints[name] = host.strip("[]"), int(port)
        return self.endpoints[name]

    def generation(self):
        return self.status()["generation"]

    def workers(self, generation=None):
        """The pids of a generation's workers, the active one's by default."""
        s = self.status()
        want = generation or s["generation"]
        for g in s["generations"]:
            if g["id"] == want:
                return [w["pid"] for w in g["workers"]]
        return []

    def workers_ready(self):
        """How many workers of the active generation accept."""
        s = self.status()
        return sum(w["state"] == "active" for g in s["generations"]
                   if g["id"] == s["generation"] for w in g["workers"])

    def only_generation(self, number=None):
        """Nothing but the active generation is left."""
        s = self.status()
        return len(s["generations"]) == 1 and (number is None or s["generation"] == number)

    def has_busy(self, client):
        """Has a worker begun with what this client has sent?  By its port: others are busy, too."""
        port = client.sock.getsockname()[1]
        return any(f":{port} " in line and " busy " in line
                   for line in self.ctl("conns").out.splitlines())

    def get(self, path="/", name="web"):
        """One request on a connection of its own; (status, body)."""
        with Client(self, name) as c:
            c.request(path, close=True)
            return c.answer()


class Client:
    """One connection, by hand."""

    def __init__(self, baton, name="web", timeout=PATIENCE):
        self.sock = socket.create_connection(baton.endpoint(name), timeout=timeout)
        self.buffer = b""
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def request(self, path="/", close=False, method="GET", body=None, headers=""):
        head = f"{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}"
        if close:
            head += "Connection: close\r\n"
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        self.send(head.encode() + b"\r\n" + (body or b""))

    def fill(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return len(data) > 0

    def until(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                raise Failure(f"closed before {mark!r}; got {self.buffer[:200]!r}")
        at = self.buffer.index(mark) + len(mark)
        data, self.buffer = self.buffer[:at], self.buffer[at:]
        return data

    def exactly(self, n):
        while len(self.buffer) < n:
            if not self.fill():
                raise Failure(f"closed after {len(self.buffer)} of {n} bytes")
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def answer(self, head_only=False):
        """(status, body); headers stay in self.headers, lower-case."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.headers = {}
        for line in lines[1:]:
            if ":" in line:
                name, value = line.split(":", 1)
                self.headers[name.strip().lower()] = value.strip()
        status = int(lines[0].split()[1])
        if head_only or status in (204, 304) or status < 200:
            return status, b""
        return status, self.exactly(int(self.headers["content-length"]))

    def closed(self):
        """Read to the end: True for an orderly end, with nothing more said."""
        while self.fill():
            pass
        return self.buffer == b""


class Raw:
    """A control client by hand."""

    def __init__(self, b):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(b.control)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()

    def send(self, text):
        self.sock.sendall(text.encode())

    def ask(self, verb, *args, **more):
        self.send(json.dumps(dict(verb=verb, args=args, version=1, **more)) + "\n")

    def rest(self):
        """Everything up to the end."""
        data = b""
        while True:
            part = self.sock.recv(65536)
            if not part:
                return data.decode()
            data += part

    def answer(self):
        """The last line; those before it are progress."""
        lines = [json.loads(line) for line in self.rest().splitlines()]
        check(lines, "hung up without an answer")
        check(all("progress" in line for line in lines[:-1]), f"lines {lines}")
        return lines[-1]


class Load:
    """tests/load in the background; its report when it ends."""

    running = []

    def __init__(self, mode, target, *args):
        self.process = subprocess.Popen([LOAD, mode, *map(str, args), target],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.running.append(self.process)

    @classmethod
    def leave_none(cls):
        """Of a test that has failed: it would go on asking at a port that is another's soon."""
        for process in cls.running:
            if process.poll() is None:
                process.kill()
                process.wait()
        cls.running.clear()

    told = False

    def tell(self):
        """That it ends; the report is for stop()."""
        if not self.told and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # twice would be at once
        self.told = True

    def stop(self, patience=60):
        """End it in order; the report as a dict, with 'exit'."""
        self.tell()
        out, err = self.process.communicate(timeout=patience)
        check(out.strip(), f"load said nothing: {err}")
        report = json.loads(out.strip().splitlines()[-1])
        report["exit"] = self.process.returncode
        return report

    def clean(self):
        """End it; every error count must be 0, and something was answered."""
        report = self.stop()
        check(report["exit"] == 0, f"load saw errors: {json.dumps(report)}")
        check(report["answered"] > 0, f"load had no answer: {json.dumps(report)}")
        return report


def read_fds(pid):
    """What /proc says about the descriptors of a process: {number: target}."""
    out = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            out[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return out


def main(tests):
    """Run the functions, one line each; what one returns is why it can't be tried here."""
    only = sys.argv[1:]
    failed = 0
    for test in tests:
        if only and test.__name__ not in only:
            continue
        begun = time.monotonic()
        try:
            why = test()
            if isinstance(why, str):
                print(f"skip   {test.__name__}: {why}", flush=True)
                continue
            print(f"ok     {test.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception as e:
            failed += 1
            print(f"not ok {test.__name__}: {e}", flush=True)
            if not isinstance(e, Failure):
                traceback.print_exc()
        finally:
            Load.leave_none()
    sys.exit(1 if failed else 0)
