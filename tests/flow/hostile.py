"""hostile: payloads in a sandboxed worker (tests/hostile), and what must hold meanwhile.

A `Ground` is a baton of one worker type, run in one way, with streams on one worker; a `row` runs
one payload in the other one and returns what did not hold: [] is what is wanted.

What no mechanism of ours can hold, and is not asked for here: a worker keeps what it has accepted,
and takes more at the same port (SO_REUSEPORT, by the same user) as long as it lives; it says in the
log what it likes, in its own name; and it takes what the machine has of processor time and memory,
for which there are control groups.  The payloads that do so must leave nothing behind.
"""

import fnmatch
import json
import mmap
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from baton import SOURCE, Failure, check, pid_alive, wait_for

STATUS = 1.0         # seconds that an answer may take: the promise
SLACK = 30           # and so many times what a healthy master takes here
SANE = 1 << 60       # no number of status is above it
FDS = 600            # descriptors that the master may have more than before: two messages, and some
RSS = 64 << 20       # and bytes of memory
LINES = (200, 200)   # lines of the master's log: at once, and each second
DEADLINE = 3         # of a drain
STALL = 3
PATIENCE = 60
STREAMS, CLIENTS = 6, 3

# What is asked for by its nature: kind of worker, payloads, why.
NOT_PROMISED = [
    (("module", "routes"), ("files-*", "logs-name"),
     "a module's handlers work on files: what its user may, by name"),
    (("module", "routes"), ("kernel-code",), "a module may have a just-in-time compiler"),
    (("module", "routes", "upstream", "proxy"), ("res-inflight",),
     "the kernel counts descriptors in flight per user"),
]

TYPES = {
    "echo": "type = echo",
    "respond": "type = http\nrespond = hello, world",
    "root": "type = http\nroot = {dir}/site/root",
    "upstream": "type = http\nupstream = 127.0.0.1:{dummy}",
    "proxy": "type = proxy\nupstream = 127.0.0.1:{dummy}",
    "module": "type = module\npath = {modules}/escapes.so",
    "routes": "type = module\npath = {modules}/routes.so",
    "admin": "type = admin",
}

CONFIG = """
[server]
workers = 2
control = {control}
{user}
{log}
probation = {probation}
worker_stall = {stall}s

[drain]
deadline = {deadline}s
cut_over = 100ms

[listen:echo]
address = 127.0.0.1:0
service = echo
access_log = {logs}/access.log

[listen:shared]
address = 127.0.0.1:0
reuseport = no
service = echo

[listen:local]
address = unix:{run}/local.sock
service = echo

[listen:own]
address = 127.0.0.1:0
service = own

[service:echo]
type = echo

[service:own]
{own}
"""

# Name, milliseconds, how.  "giver", "taker": while connections are handed over; "thread": not in
# the worker's own; "asked": while lists are asked for; "slow": ends by a limit of seconds.
PAYLOADS = [
    *[(f"stats-{x}", 150, ()) for x in ("ff", "zero", "random", "lies", "heartbeats", "head", "magic",
                                        "mremap", "reopen", "madvise")],
    *[(f"own-{x}", 300, ()) for x in ("ff", "zero", "random", "huge", "signed", "back", "counts",
                                      "identity", "state", "gone", "draining", "names", "breakers",
                                      "doing", "overdue", "heartbeat", "annex", "fast")],
    ("own-fast", 300, ("thread",)), ("own-random", 1500, ("giver",)), ("own-counts", 1500, ("giver",)),
    ("own-identity", 1500, ("giver",)), ("own-gone", 1500, ("giver",)),
    ("own-fast", 1500, ("giver", "thread")), ("own-fast", 1500, ("taker",)),
    *[(f"own-{x}", 3000, ("upgrade",)) for x in ("ff", "zero", "random", "counts", "identity", "gone",
                                                 "state", "draining", "names")],
    ("own-fast", 3000, ("upgrade", "thread")), ("chan-lacks", 1500, ("upgrade", "thread")),
    ("own-stuck", 100, ("slow",)),
    *[(x, 20, ()) for x in ("mem-open", "mem-calls", "mem-signals", "kernel-spaces", "kernel-calls",
                            "kernel-powers", "kernel-sockets", "kernel-ioctl", "kernel-code", "kernel-exec",
                            "kernel-x32", "kernel-int80", "files-write", "files-read", "files-beside",
                            "logs-cut", "logs-name")],
    ("mem-open", 20, ("thread",)), ("mem-calls", 20, ("thread",)), ("kernel-exec", 20, ("thread",)),
    ("logs-flood", 400, ()), ("logs-block", 400, ()),
    *[(f"chan-{x}", 600, ()) for x in ("ready", "leaving", "swept", "lacks", "failed", "deaf", "small",
                                       "malformed", "orders", "large", "births", "fds")],
    ("chan-lists", 1000, ("asked",)),
    *[(f"chan-{x}", 300, ()) for x in ("linger", "linger-kept", "linger-die", "linger-nested", "shutdown",
                                       "half", "closed")],
    *[(f"pair-{x}", 1500, (role,)) for x in ("garbage", "answers", "orders", "linger", "hello", "deaf",
                                             "shutdown") for role in ("giver", "taker")],
    *[(f"sock-{x}", 100, ()) for x in ("shutdown", "half", "unconnect", "backlog", "filter", "reuseport",
                                       "blocking", "inherited", "small", "greedy", "more")],
    ("sock-control", 500, ()), ("sock-notify", 100, ()), ("sock-again", 400, ()),
    ("sock-clients", 1000, ("giver",)),
    *[(f"res-{x}", 100, ("slow",)) for x in ("spin", "sleep", "pretend", "ignore", "stop")],
    *[(f"res-{x}", 200, ()) for x in ("fds", "memory", "kernel", "threads", "inflight", "exit", "exit-42",
                                       "fall")],
    ("sock-again", 3000, ("upgrade",)), ("sock-elsewhere", 400, ()), ("sock-elsewhere", 3000, ("upgrade",)),
]


def title(payload):
    name, _, how = payload
    marks = [x for x in how if x in ("giver", "taker", "upgrade", "thread")]
    return name + "".join(f"/{x}" for x in marks)


def not_promised(kind, payload):
    for kinds, names, why in NOT_PROMISED:
        if kind in kinds and any(fnmatch.fnmatch(payload[0], name) for name in names):
            return why
    return None


def build(folder):
    """The library and the modules that are served."""
    include = ["-I", os.path.join(SOURCE, "src")]
    common = ["gcc", "-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
              "-D_GNU_SOURCE", *include]
    sources = [os.path.join(SOURCE, "tests/hostile", name)
               for name in sorted(os.listdir(os.path.join(SOURCE, "tests/hostile")))
               if name.endswith(".c")]
    library = os.path.join(folder, "hostile.so")
    subprocess.run([*common, "-o", library, *sources, os.path.join(SOURCE, "src/wire/handoff.c"),
                    "-ldl", "-lpthread"], check=True)
    for name in ("modules/escapes", "modules/routes", "hostile/crash/crash"):
        subprocess.run([*common, "-o", os.path.join(folder, os.path.basename(name) + ".so"),
                        os.path.join(SOURCE, f"tests/{name}.c"), "-ldl"], check=True)
    return library


class Board:
    """Orders and outcomes: struct hostile_board."""

    SIZE = 4096

    def __init__(self, path):
        with open(path, "wb") as f:
            f.truncate(self.SIZE)
        os.chmod(path, 0o666)
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), self.SIZE)
        self.seq = 0

    def close(self):
        self.map.close()
        self.file.close()

    def put(self, at, value):
        self.map[at:at + len(value)] = value

    def u32(self, at):
        return struct.unpack_from("I", self.map, at)[0]

    def order(self, pid, sibling, payload, thread=False, **paths):
        name, ms, _ = payload
        self.put(20, bytes(20))
        self.put(40, name.encode().ljust(40, b"\0"))
        for at, key in ((80, "canary"), (336, "secret"), (592, "root"), (2896, "control")):
            self.put(at, paths[key].encode().ljust(256, b"\0"))
        self.put(848, bytes(2048))
        self.put(4, struct.pack("iIIi", pid, ms, int(thread), sibling))
        self.seq += 1
        self.put(0, struct.pack("I", self.seq))

    def begun(self):
        return self.u32(20) == self.seq

    def done(self):
        return self.u32(24) == self.seq

    def breaches(self):
        return self.u32(28)

    def rounds(self):
        return self.u32(32)

    def text(self):
        return bytes(self.map[848:848 + 2048]).split(b"\0")[0].decode(errors="replace")


class Asker(threading.Thread):
    """Asks for the status again and again; how long the worst answer took."""

    def __init__(self, control):
        super().__init__(daemon=True)
        self.control = control
        self.over = False
        self.lock = threading.Lock()
        self.reset()
        self.last = None

    def reset(self):
        with self.lock:
            self.worst, self.pace, self.asked, self.failed, self.insane = 0.0, 0.0, 0, [], set()
            self.since = None

    def so_far(self):
        """The worst answer, one that has not come yet included."""
        with self.lock:
            waiting = time.monotonic() - self.since if self.since is not None else 0
            return max(self.worst, waiting)

    def run(self):
        while not self.over:
            begun = time.monotonic()
            with self.lock:
                self.since = begun
            try:
                data, error = ask(self.control, "status"), None
            except (OSError, ValueError, KeyError) as e:
                data, error = None, str(e) or type(e).__name__
            took = time.monotonic() - begun
            with self.lock:
                self.since = None
                self.worst = max(self.worst, took)
                self.asked += 1
                if error is not None:
                    self.failed.append(error)
                else:
                    self.last = data
                    self.insane |= set(insane(data))
            begun = time.monotonic()
            time.sleep(0.01)
            with self.lock:
                self.pace = max(self.pace, time.monotonic() - begun - 0.01)


def ask(control, verb, *args, timeout=15):
    """The data of an answer of the control socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(control)
        s.sendall(json.dumps({"verb": verb, "args": args, "version": 1}).encode() + b"\n")
        parts = []
        while part := s.recv(65536):
            parts.append(part)
    if not parts:
        raise OSError("hung up without an answer")
    return json.loads(b"".join(parts).splitlines()[-1])["data"]


def insane(data, path=""):
    """The names of numbers that cannot be."""
    if isinstance(data, dict):
        return [x for key, value in data.items() for x in insane(value, f"{path}.{key}")]
    if isinstance(data, list):
        return [x for value in data for x in insane(value, path + "[]")]
    if isinstance(data, int) and not 0 <= data < SANE:
        return [path.lstrip(".")]
    return []


class Streams(threading.Thread):
    """Connections that carry bytes all the time, each of which comes back."""

    def __init__(self):
        super().__init__(daemon=True)
        self.lock = threading.Lock()
        self.all = {}
        self.broken = []
        self.over = False

    def add(self, sock):
        sock.setblocking(False)
        with self.lock:
            self.all[sock] = [b"", 0]

    def drop(self, sock):
        with self.lock:
            self.all.pop(sock, None)
        sock.close()

    def turn(self, sock, state):
        waiting, n = state
        if len(waiting) < 64:
            token = b"%07d\n" % n
            waiting += token[:sock.send(token)]
            n += 1
        try:
            got = sock.recv(4096)
        except BlockingIOError:
            got = None
        if got == b"":
            return "it was closed"
        if got is not None:
            if not waiting.startswith(got):
                return "other bytes came"
            waiting = waiting[len(got):]
        self.all[sock] = [waiting, n]
        return None

    def run(self):
        while not self.over:
            with self.lock:
                for sock, state in list(self.all.items()):
                    try:
                        why = self.turn(sock, state)
                    except OSError as e:
                        why = str(e)
                    if why is not None:
                        self.broken.append(why)
                        del self.all[sock]
            time.sleep(0.005)

    def flowing(self, patience=PATIENCE):
        """Bytes come back on each of them."""
        with self.lock:
            before = {sock: state[1] for sock, state in self.all.items()}

        def all_on():
            with self.lock:
                return all(self.all[sock][1] > n + 10 for sock, n in before.items()
                           if sock in self.all)
        wait_for(all_on, "the sibling's streams flow", patience)


def half_close(sock):
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it did not outlive its worker


def tree(folder):
    """All that can be said of what is in it."""
    out = {}
    for base, folders, files in os.walk(folder):
        for name in [".", *folders, *files]:
            path = os.path.join(base, name)
            st = os.lstat(path)
            data = os.readlink(path) if os.path.islink(path) else None
            if os.path.isfile(path) and data is None:
                with open(path, "rb") as f:
                    data = f.read()
            out[os.path.normpath(path)] = (st.st_mode, st.st_uid, st.st_nlink, st.st_mtime_ns, data)
    return out


class Log:
    """A file that only grows."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.bytes = f.read(1 << 20)
        self.size = os.path.getsize(path)
        self.mode = os.stat(path).st_mode

    def fault(self):
        try:
            with open(self.path, "rb") as f:
                if f.read(len(self.bytes)) != self.bytes:
                    return f"{os.path.basename(self.path)} was changed"
        except FileNotFoundError:
            return f"{os.path.basename(self.path)} is gone"
        if os.path.getsize(self.path) < self.size:
            return f"{os.path.basename(self.path)} is shorter"
        if os.stat(self.path).st_mode != self.mode:
            return f"{os.path.basename(self.path)} has another mode"
        return None


def master_size(pid):
    """Descriptors and memory; None: not to be seen."""
    try:
        fds = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/statm") as f:
            return fds, int(f.read().split()[1]) * 4096
    except OSError:
        return None


class Ground:
    """What is the same by hand and under the unit.  A subclass starts it, and knows its places:
    dir, control, run, logs, modules, uid; pid; log_text(); start(); stop(); ctl()."""

    echoes = ("echo", "shared", "local")  # listeners that echo
    deadline = DEADLINE

    def __init__(self, kind):
        self.kind = kind
        self.dummy = socket.create_server(("127.0.0.1", 0))
        self.board = None
        self.streams = self.asker = None
        self.base = 0.01

    # --- its places

    def furnish(self):
        """The folders that payloads are after."""
        self.canary = os.path.join(self.dir, "canary")
        self.secret = os.path.join(self.dir, "away", "secret")
        self.beside = os.path.join(self.dir, "site", "secret")
        self.root = os.path.join(self.dir, "site", "root")
        for folder in (self.canary, os.path.dirname(self.secret), self.root):
            os.makedirs(folder, exist_ok=True)
        for name in ("file", "old"):
            with open(os.path.join(self.canary, name), "w") as f:
                f.write("untouched\n")
        for path in (self.secret, self.beside):
            with open(path, "w") as f:
                f.write("a secret\n")
            os.chown(path, self.uid, -1)
            os.chmod(path, 0o600)
        with open(os.path.join(self.root, "page.html"), "w") as f:
            f.write("a page\n")
        os.symlink("../../away/secret", os.path.join(self.root, "outside"))
        os.symlink("/proc/self/root" + self.secret, os.path.join(self.root, "magic"))
        for base, _, files in os.walk(self.canary):
            for name in [base, *[os.path.join(base, f) for f in files]]:
                os.chown(name, self.uid, -1)
        self.board = Board(os.path.join(self.dir, "board"))

    def config(self, probation="50ms"):
        own = TYPES[self.kind].format(dir=self.dir, modules=self.modules,
                                      dummy=self.dummy.getsockname()[1])
        return CONFIG.format(control=self.control, user=self.user, log=self.log, run=self.run,
                             logs=self.logs, own=own, probation=probation, stall=STALL,
                             deadline=DEADLINE)

    # --- life

    def begin(self):
        self.start()
        self.addresses = {l["name"]: l["address"] for l in self.status()["listeners"]}
        self.streams, self.asker = Streams(), Asker(self.control)
        self.streams.start()
        took = []
        for _ in range(10):
            begun = time.monotonic()
            self.status()
            took.append(time.monotonic() - begun)
        self.base = statistics.median(took)
        self.asker.start()

    def end(self):
        for thread in (self.streams, self.asker):
            if thread is not None:
                thread.over = True
                thread.join(PATIENCE)
        for sock in list(self.streams.all if self.streams else ()):
            sock.close()
        self.streams = self.asker = None
        self.stop()

    def again(self):
        """It is dead, or not what it was: a fresh one for the next row."""
        self.end()
        self.begin()

    def status(self):
        return ask(self.control, "status")

    def active(self):
        """{pid: slot} of the active generation, when all are well."""
        s = self.status()
        workers = [w for g in s["generations"] for w in g["workers"] if g["id"] == s["generation"]]
        well = s["state"] == "running" and len(workers) == 2 and len(s["generations"]) == 1 and \
            all(w["state"] == "active" for w in workers)
        return {w["pid"]: w["slot"] for w in workers} if well else None

    # --- clients

    def connect(self, name="echo", buffer=None):
        address = self.addresses[name]
        if address.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(5)
            sock.connect(address[5:])
            return sock
        host, port = address.rsplit(":", 1)
        sock = socket.socket()
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.settimeout(2)
        sock.connect((host, int(port)))
        return sock

    def owners(self):
        """{client's port: pid}."""
        return {int(c["peer"].rsplit(":", 1)[1]): c["pid"] for c in ask(self.control, "conns")["connections"]
                if re.search(r":\d+$", c["peer"])}

    def settle(self):
        """Streams on one worker, clients that do not read on the other: (victim, sibling)."""
        workers = wait_for(self.active, "two workers are active", PATIENCE)
        owners = self.owners()
        held = [owners.get(s.getsockname()[1]) for s in self.streams.all]
        sibling = max(workers, key=held.count)
        victim = next(pid for pid in workers if pid != sibling)
        for sock in [s for s in self.streams.all if owners.get(s.getsockname()[1]) != sibling]:
            self.streams.drop(sock)
        self.clients = []
        for _ in range(20):
            if len(self.streams.all) >= STREAMS and len(self.clients) >= CLIENTS:
                break
            fresh = [self.connect(buffer=4096) for _ in range(6)]
            for sock in fresh:
                sock.sendall(b"1")
                check(sock.recv(1) == b"1", "an echo")
            owners = self.owners()
            for sock in fresh:
                if owners.get(sock.getsockname()[1]) == victim and len(self.clients) < CLIENTS:
                    self.clients.append(sock)
                elif owners.get(sock.getsockname()[1]) == sibling and len(self.streams.all) < STREAMS:
                    self.streams.add(sock)
                else:
                    sock.close()
        check(len(self.streams.all) >= STREAMS and len(self.clients) >= CLIENTS,
              "clients on both workers")
        return victim, sibling

    # --- a row

    def row(self, payload, upgrade=True):
        """[] or what did not hold."""
        self.faults = []
        try:
            self.attack(payload)
            self.look_after("reload")
            if "upgrade" in payload[2] and not self.faults:
                self.change("reload")
            if upgrade and not self.faults:
                self.change("upgrade")
                self.look_after("upgrade")
        except (Failure, OSError, ValueError, KeyError) as e:
            self.faults.append(str(e) or type(e).__name__)
        finally:
            for sock in getattr(self, "clients", ()):
                sock.close()
        if not self.is_alive():
            self.faults.insert(0, "the master died")
        if os.environ.get("HOSTILE_TELLS") == "log" or self.faults and os.environ.get("HOSTILE_TELLS"):
            print("".join(self.log_since(self.mark)[-25:]))
        return list(dict.fromkeys(self.faults))

    def is_alive(self):
        return self.master() == self.pid and pid_alive(self.pid)

    def look_before(self):
        self.mark = self.log_mark()
        self.canaries = tree(self.canary)
        self.files = [Log(path) for path in self.logfiles() if os.path.exists(path)]
        self.size = self.biggest = master_size(self.pid)
        self.streams.broken = []
        self.asker.reset()
        self.begun = time.monotonic()

    def attack(self, payload):
        _, ms, how = payload
        self.victim, self.sibling = self.settle()
        self.look_before()
        if "taker" in how:
            self.begin_as_taker(payload)
            return
        self.order(payload, self.victim, self.sibling)
        if "giver" in how:
            self.change("reload")
            for sock in self.clients:  # who has them now closes them
                half_close(sock)
            return
        if "upgrade" in how:
            self.change("upgrade")
            if payload[0].startswith("sock-"):
                self.wait_mended()
            return
        self.wait_done(ms, "asked" in how)
        self.look_at_sibling()
        for _ in range(6 if payload[0].startswith("sock-") else 0):
            self.come_and_go()
            self.streams.flowing(2 * self.patience())
        self.streams.flowing(2 * self.patience())
        self.change("reload")

    def order(self, payload, victim, sibling):
        secret = self.beside if payload[0] == "files-beside" else self.secret
        self.board.order(victim, sibling, payload, "thread" in payload[2], canary=self.canary,
                         secret=secret, root=self.root, control=self.control)
        wait_for(lambda: self.board.begun() or not pid_alive(victim), "the payload begins")

    def wait_done(self, ms, asked):
        """Or so long as it should have taken."""
        limit = time.monotonic() + ms / 1000 + 1
        while time.monotonic() < limit and not self.board.done() and pid_alive(self.victim):
            if asked:
                ask(self.control, "conns")
            self.measure()
            time.sleep(0.01)

    def measure(self):
        now = master_size(self.pid)
        if now is not None and self.biggest is not None:
            self.biggest = tuple(map(max, now, self.biggest))

    def begin_as_taker(self, payload):
        """Of the next generation: the one that does not get the streams."""
        slot = self.active()[self.sibling]
        before = self.status()["generation"]
        self.write(probation="400ms")
        running = self.ctl_background("reload", "--wait")

        def newcomer():
            for g in self.status()["generations"]:
                for w in g["workers"]:
                    if g["id"] > before and w["slot"] != slot and w["state"] in ("ready", "active"):
                        return w["pid"]
            return None
        self.victim = wait_for(newcomer, "a worker of the next generation")
        self.order(payload, self.victim, self.sibling)
        try:
            running.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.faults.append("the reload does not end")
            running.kill()
            running.communicate()
        self.write()
        self.measure()
        self.change("reload")

    def patience(self):
        return STATUS + SLACK * self.base + 4 * self.asker.pace

    def come_and_go(self):
        """Clients at each address, many at once; what they get is for who accepts them to say."""
        for name in self.echoes:
            socks = []
            try:
                for _ in range(24):
                    socks.append(self.connect(name))
                    socks[-1].sendall(b"1")
                    socks[-1].settimeout(0.01)
                for sock in socks:
                    sock.recv(1)
            except OSError:
                pass
            for sock in socks:
                sock.close()

    def wait_mended(self):
        """By a look or two: at once is not promised."""
        for name in self.echoes:
            wait_for(lambda n=name: self.serves(n, 16), f"{name} serves again", self.patience() + 5)

    def look_at_sibling(self):
        if not pid_alive(self.sibling):
            self.faults.append("its sibling died")

    def change(self, verb):
        limit = 3 * self.deadline + STALL + SLACK * self.base * 10
        try:
            answer = self.ctl(verb, "--wait", timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"{verb} takes more than {limit:.0f} s") from None
        self.measure()
        if answer.code not in (0, 4):
            self.faults.append(f"{verb}: {(answer.err or answer.out).strip()[:200]}")

    def look_after(self, verb):
        if not self.is_alive():
            return
        before = len(self.faults)
        self.look_for_victim()
        self.look_at_answers()
        if self.streams.broken:
            self.faults.append(f"{len(self.streams.broken)} of the sibling's streams broke: "
                               + ", ".join(sorted(set(self.streams.broken))))
        self.look_at_files()
        self.look_at_master()
        self.look_at_log()
        if len(self.faults) > before and verb == "upgrade":
            self.faults.append("after the upgrade")
        if verb == "reload" and self.board.breaches():
            self.faults.append("reached: " + self.board.text()[:300])
        if not self.faults:
            self.look_for_silent()
            self.streams.flowing()
            self.look_at_listeners()

    def look_for_victim(self):
        """Its generation is gone: so is it."""
        try:
            wait_for(lambda: not pid_alive(self.victim), "", self.patience())
        except Failure:
            self.faults.append("the victim lives on, and belongs to nobody")
            os.kill(self.victim, signal.SIGKILL)

    def look_for_silent(self):
        """Every worker answers the master."""
        try:
            wait_for(lambda: not ask(self.control, "conns")["silent"], "every worker answers",
                     2 + self.patience())
        except Failure as e:
            self.faults.append(str(e))

    def look_at_answers(self):
        limit = self.patience()
        if self.asker.so_far() > limit:
            self.faults.append(f"status took {self.asker.so_far():.1f} s")
        if self.asker.failed:
            self.faults.append(f"no status: {self.asker.failed[0]}")
        if self.asker.insane:
            self.faults.append("numbers of status: " + ", ".join(sorted(self.asker.insane))[:200])

    def look_at_files(self):
        now = tree(self.canary)
        changed = {path for path in now.keys() | self.canaries.keys()
                   if now.get(path) != self.canaries.get(path)}
        if changed:
            self.faults.append("touched: " + ", ".join(os.path.relpath(x, self.dir) for x in sorted(changed)))
        self.faults += [x for x in (f.fault() for f in self.files) if x is not None]

    def look_at_master(self):
        if self.size is None or self.biggest is None:
            return
        more = [now - before for now, before in zip(self.biggest, self.size)]
        if more[0] > FDS:
            self.faults.append(f"the master had {more[0]} descriptors more")
        if more[1] > RSS:
            self.faults.append(f"the master had {more[1] >> 20} MB more")

    def look_at_log(self):
        lines = self.log_since(self.mark)
        limit = LINES[0] + LINES[1] * (time.monotonic() - self.begun)
        own = [line for line in lines if self.is_of_master(line)]
        if len(own) > limit:
            self.faults.append(f"{len(own)} lines of log by the master")
        for line in own:
            if "panic at" in line:
                self.faults.append(line.strip()[:200])
            m = re.search(r"\(pid (\d+)\) (is killed|is stuck|ended with (?!exit status 0))", line)
            if m and int(m[1]) not in (self.victim,):
                self.faults.append(f"not only the victim: {line.strip()[-150:]}")

    def look_at_listeners(self):
        """Each address serves, at every try, and it is the same one."""
        addresses = {l["name"]: l["address"] for l in self.status()["listeners"]}
        if addresses != self.addresses:
            self.faults.append(f"listeners: {addresses}")
            return
        for name in self.echoes:
            try:
                wait_for(lambda: self.serves(name, 1), f"{name} serves", 5 + SLACK * self.base)
                check(self.serves(name, 8), f"{name} does not serve all")
            except Failure as e:
                self.faults.append(str(e))

    def serves(self, name, times):
        try:
            for _ in range(times):
                with self.connect(name) as c:
                    c.sendall(b"1")
                    if c.recv(1) != b"1":
                        return False
        except OSError:
            return False
        return True


class Matrix:
    """What was seen, and a table of it."""

    def __init__(self):
        self.cells = {}  # (payload, kind, how): None: held; "": not promised; else: what did not
        self.failed = 0

    def note(self, payload, kind, how, faults, told, why=None):
        name = title(payload)
        if os.environ.get("HOSTILE_TELLS"):
            print(f"       {how} {kind} {name}: {told}", flush=True)
        if not faults:
            self.cells[name, kind, how] = "held"
        elif why is not None:
            self.cells[name, kind, how] = "open"
        else:
            self.cells[name, kind, how] = "NOT"
            self.failed += 1
        if faults:
            word = "not promised" if why is not None else "NOT HELD"
            print(f"{word} {how} {kind} {name}: {'; '.join(faults)}"
                  + (f" ({why})" if why is not None else ""), flush=True)

    def tell(self):
        columns = sorted({(how, kind) for _, kind, how in self.cells},
                         key=lambda c: (c[0], list(TYPES).index(c[1])))
        for how in sorted({how for how, _ in columns}):
            kinds = [kind for h, kind in columns if h == how]
            names = [n for n in dict.fromkeys(map(title, PAYLOADS))
                     if any((n, kind, how) in self.cells for kind in kinds)]
            print(f"\n{how + ':':25}" + "".join(f"{kind:>9}" for kind in kinds))
            for name in names:
                print(f"{name:25}" + "".join(f"{self.cells.get((name, kind, how), '-'):>9}"
                                             for kind in kinds))
        total = len(self.cells)
        print(f"\n{total} cells: {list(self.cells.values()).count('held')} held, {self.failed} not held, "
              f"{list(self.cells.values()).count('open')} not promised", flush=True)


def chosen(hows, arguments):
    """What the command line and HOSTILE leave of it: [(how, kind, [payload])]."""
    only_how = [a for a in arguments if a in hows]
    only_kind = [a for a in arguments if a in TYPES]
    only_name = [a for a in arguments if a not in hows and a not in TYPES]
    full = os.environ.get("HOSTILE") == "all" or bool(arguments)
    out = []
    for h, how in enumerate(hows):
        for k, kind in enumerate(TYPES):
            payloads = [p for i, p in enumerate(PAYLOADS) if full or in_short(hows, h, k, i, p)]
            payloads = [p for p in payloads if not only_name or
                        any(fnmatch.fnmatch(title(p), a) for a in only_name)]
            if payloads and (not only_how or how in only_how) and (not only_kind or kind in only_kind):
                out.append((how, kind, payloads))
    return out, full


# Who has most is also seen with these in the short form.
FREEST = ("mem-*", "kernel-*", "stats-reopen", "chan-linger-nested", "sock-control", "sock-unconnect",
          "own-fast/thread")
FREEST_ROOT = ("mem-open", "stats-reopen")
FREEST_UNIT = ("mem-open", "chan-linger-nested", "sock-control")


def in_short(hows, h, k, i, payload):
    """In the short form each payload is seen once by hand, and one of five under the unit: in one
    type after the other."""
    unit = hows == ["unit"]
    if hows[h] == "root-root" and list(TYPES)[k] == "module" and title(payload) in FREEST_ROOT:
        return True
    if h == 0 and list(TYPES)[k] == "module" and \
            any(fnmatch.fnmatch(title(payload), x) for x in (FREEST_UNIT if unit else FREEST)):
        return True
    if unit:
        return i % 5 == 1 and "slow" not in payload[2] and i // 5 % len(TYPES) == k
    return i % len(hows) == h and (i // len(hows) + h) % len(TYPES) == k


def run_all(grounds, arguments):
    """grounds: {how: class}; the exit status."""
    matrix = Matrix()
    cells, full = chosen(list(grounds), arguments)
    for how, kind, payloads in cells:
        begun = time.monotonic()
        ground = grounds[how](kind, how)
        try:
            ground.begin()
            for i, payload in enumerate(payloads):
                faults = ground.row(payload, upgrade=full or i % 3 == 0 or i == len(payloads) - 1)
                told = f"{ground.board.rounds()} rounds; {ground.board.text()}"
                matrix.note(payload, kind, how, faults, told, not_promised(kind, payload))
                if faults:
                    ground.again()
        except Failure as e:
            matrix.failed += 1
            print(f"NOT HELD {how} {kind}: {e}", flush=True)
        finally:
            ground.end()
            ground.clean()
        print(f"       {how} {kind}: {len(payloads)} rows in {time.monotonic() - begun:.1f} s", flush=True)
    matrix.tell()
    return 1 if matrix.failed else 0
