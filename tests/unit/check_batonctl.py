#!/usr/bin/env python3
"""check_batonctl: batonctl against a master that a test plays.

Each case is one connection with a script for the master's side; then exit status, stdout and
stderr are what wire/control.h and the table of verbs promise. Nothing sleeps: both sides go on
when the other has done something.

usage: check_batonctl.py [PATH-OF-BATONCTL]     (default $BATONCTL, then ./batonctl)
"""

import errno
import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading

BATONCTL = os.path.abspath(
    sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BATONCTL", "./batonctl"))
PATIENCE = 60  # seconds until a batonctl that hangs is a failure
DIR = tempfile.mkdtemp(prefix="check_batonctl.")

STATUS = {
    "pid": 4711, "version": "0.1.0", "uptime_ms": 3723000, "state": "running", "generation": 3,
    "generations": [
        {"id": 3, "state": "active", "version": "0.1.0", "age_ms": 65000, "slots": 4,
         "workers": [{"slot": i, "birth": 9 + i, "pid": 100 + i, "state": "active"}
                     for i in range(4)],
         "new": 1, "idle": 1200, "busy": 7},
        {"id": 2, "state": "draining", "version": "0.0.9", "age_ms": 9900, "slots": 2,
         "workers": [{"slot": 0, "birth": 5, "pid": 90, "state": "draining"}],
         "new": 0, "idle": 0, "busy": 12},
    ],
    "listeners": [{"name": "web", "address": "127.0.0.1:8080", "service": "site"},
                  {"name": "echo", "address": "[::1]:7000", "service": "echo"}],
    "last": {"what": "upgrade", "outcome": "rolled_back", "reason": "generation 4: no READY",
             "took_ms": 10012},
    "totals": {"accepted": 5000, "closed": 3780, "cut": 0, "handed_off": 0, "refused": 0,
               "requests": 123456, "bytes_in": 1536, "bytes_out": 3 * 1024 * 1024,
               "worker_deaths": 1},
}

HOLDER = {"id": 77, "peer": "10.0.0.9:55555", "listener": "web", "generation": 2, "pid": 90,
          "slot": 0, "age_ms": 7200000, "state": "busy", "state_ms": 3200, "bytes_in": 10,
          "bytes_out": 20480, "why": "in a request", "left_ms": 12000, "quiet_ms": 40}


class Master:
    """Listens at a path; script(connection, request) answers one connection at a time."""

    def __init__(self, script, path=None, backlog=8):
        self.path = path or os.path.join(DIR, "control.sock")
        self.script = script
        self.requests = []
        self.raw = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(backlog)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn:
                line = b""
                while not line.endswith(b"\n"):
                    more = conn.recv(65536)
                    if not more:
                        break
                    line += more
                self.raw.append(line)
                self.requests.append(json.loads(line))
                try:
                    self.script(conn, self.requests[-1])
                except BrokenPipeError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        os.unlink(self.path)


def line(j):
    return json.dumps(j).encode() + b"\n"


def last(code=0, text="done", data=None):
    return line({"exit": code, "text": text, "data": data})


def progress(text, percent=None):
    return line({"progress": {"text": text, "percent": percent}})


def says(*lines):
    """A script that says that and closes."""
    return lambda conn, _: conn.sendall(b"".join(lines))


class Run:
    def __init__(self, *args, env=None, cwd=None, user=None, stdout=subprocess.PIPE):
        program = BATONCTL if user is None else shutil.copy(BATONCTL, DIR)  # which he may enter
        done = subprocess.run([program, *args], stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=subprocess.PIPE, timeout=PATIENCE, cwd=cwd, user=user,
                              env=dict(os.environ, **(env or {})))
        self.code = done.returncode
        self.out = (done.stdout or b"").decode(errors="replace")
        self.err = done.stderr.decode(errors="replace")
        if "Sanitizer" in self.err:
            raise AssertionError(self.err)

    @property
    def json(self):
        return json.loads(self.out)


def with_master(script, *args, **kw):
    with Master(script) as master:
        run = Run("-s", master.path, *args, **kw)
        run.requests = master.requests
        return run


def equal(got, want):
    if got != want:
        raise AssertionError(f"{got!r} is not {want!r}")


def within(part, whole):
    if part not in whole:
        raise AssertionError(f"{part!r} is not in {whole!r}")


cases = []


def case(fn):
    cases.append(fn)
    return fn


# --- the command line -----------------------------------------------------------------------------

@case
def usage_errors_exit_2_and_name_the_cause():
    for args, words in [
            ((), "a verb is missing"),
            (("",), "unknown verb ''"),
            (("statsu",), "did you mean 'status'?"),
            (("relaod",), "did you mean 'reload'?"),
            (("upgr",), "did you mean 'upgrade'?"),
            (("zzz",), "unknown verb 'zzz'; batonctl --help"),
            (("x" * 5000,), "unknown verb 'xxx"),
            (("status", "now"), "'now' is one word too many"),
            (("check", "a", "b"), "'b' is one word too many"),
            (("scale",), "scale needs an argument"),
            (("scale", "two"), "'two' is not a number"),
            (("scale", ""), "'' is not a number"),
            (("scale", "--", "-1"), "'-1' is not a number"),
            (("stop", "--wait"), "--wait means nothing to stop"),
            (("reload", "--now"), "--now means nothing to reload"),
            (("status", "--frob"), "unknown option '--frob'"),
            (("status", "-x"), "unknown option '-x'"),
            (("status", "--json=yes"), "'--json=yes'"),
            (("status", "-s"), "-s needs the path of a socket"),
            (("check", ""), "the path is empty"),
            (("check", b"/\xff"), "not valid UTF-8"),
            (("check", "/" + "x" * 70000), "too long")]:
        run = Run(*args)
        equal((run.code, run.out), (2, ""))
        within(words, run.err)
        equal(run.err.startswith("batonctl: "), True)


@case
def usage_errors_are_json_too():
    run = Run("statsu", "--json")
    equal(run.code, 2)
    equal(run.json, {"exit": 2, "text": "unknown verb 'statsu'; did you mean 'status'?"})
    equal(Run("--frob", "--json").json["exit"], 2)
    equal(Run("--json", b"\xff\xfe").json["exit"], 2)


@case
def help_version_and_completion():
    run = Run("--help")
    equal(run.code, 0)
    for verb in ("status", "reload [--wait]", "upgrade [--wait] [BINARY]", "stop [--now]",
                 "scale N", "drain", "conns", "tasks", "watch", "history", "abort", "check [FILE]",
                 "reopen"):
        within(f"\n  {verb} ", run.out)
    equal(Run("reload", "-h").out, run.out)
    equal(max(len(x) for x in run.out.splitlines()) <= 90, True)
    equal(re.fullmatch(r"batonctl [^\s]+\n", Run("-V").out) is not None, True)
    equal(Run("--version", "status").code, 0)
    script = Run("--completion").out + (
        'COMP_WORDS=(batonctl -s x reload --); COMP_CWORD=4; _batonctl; echo "${COMPREPLY[*]}"\n'
        'COMP_WORDS=(batonctl watch --); COMP_CWORD=2; _batonctl; echo "${COMPREPLY[*]}"\n'
        'COMP_WORDS=(batonctl s); COMP_CWORD=1; _batonctl; echo "${COMPREPLY[*]}"\n')
    out = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, check=True).stdout
    equal(out.decode(), "--json --wait\n\nstatus stop scale\n")


# --- requests -------------------------------------------------------------------------------------

@case
def each_verb_asks_in_the_form_of_the_protocol():
    here = os.path.realpath(DIR)
    for args, verb, sent, wait, now in [
            (("status",), "status", [], False, False),
            (("reload",), "reload", [], False, False),
            (("--wait", "reload"), "reload", [], True, False),
            (("upgrade",), "upgrade", [], False, False),
            (("upgrade", "--wait", "/opt/baton"), "upgrade", ["/opt/baton"], True, False),
            (("upgrade", "new/baton"), "upgrade", [here + "/new/baton"], False, False),
            (("upgrade", "././baton"), "upgrade", [here + "/baton"], False, False),
            (("upgrade", "../baton"), "upgrade", [here + "/../baton"], False, False),
            (("stop",), "stop", [], False, False),
            (("stop", "--now"), "stop", [], False, True),
            (("--now", "stop"), "stop", [], False, True),
            (("scale", "7"), "scale", ["7"], False, False),
            (("drain",), "drain", [], False, False),
            (("conns",), "conns", [], False, False),
            (("tasks",), "tasks", [], False, False),
            (("history",), "history", [], False, False),
            (("abort",), "abort", [], False, False),
            (("check",), "check", [], False, False),
            (("check", "é \"x\".ini"), "check", [here + "/é \"x\".ini"], False, False),
            (("check", "--", "--odd"), "check", [here + "/--odd"], False, False),
            (("reopen",), "reopen", [], False, False)]:
        run = with_master(says(last()), *args, cwd=DIR)
        equal((run.code, run.err), (0, ""))
        equal(run.requests, [{"verb": verb, "args": sent, "wait": wait, "now": now,
                              "version": 1}])


@case
def the_request_is_one_line_and_the_way_back_stays_open():
    def script(conn, _):
        conn.setblocking(False)
        try:
            equal(conn.recv(1), b"nothing, and no end of file")
        except BlockingIOError:
            conn.setblocking(True)
            conn.sendall(last(text="still there"))
    run = with_master(script, "reload")
    equal((run.code, run.out), (0, "still there\n"))


@case
def a_relative_socket_and_the_options_anywhere():
    with Master(says(last())):
        for args in [("-s", "control.sock", "reopen", "--json"),
                     ("reopen", "-scontrol.sock", "--json"),
                     ("--json", "reopen", "--socket=control.sock")]:
            equal(Run(*args, cwd=DIR).json, {"exit": 0, "text": "done"})
            equal(Run(*args, cwd=DIR, env={"POSIXLY_CORRECT": "1"}).code, 0)


# --- answers --------------------------------------------------------------------------------------

@case
def exit_statuses_are_the_masters():
    for code in (0, 4):
        run = with_master(says(last(code, "so it went")), "reload", "--wait")
        equal((run.code, run.out, run.err), (code, "so it went\n", ""))
    for code in (1, 2):
        run = with_master(says(last(code, "a.ini:3: bad\na.ini:4: worse")), "reload")
        equal((run.code, run.out, run.err), (code, "", "a.ini:3: bad\na.ini:4: worse\n"))


@case
def json_answers_of_verbs_without_data():
    for code in (0, 1, 2, 4):
        run = with_master(says(last(code, "so it went")), "stop", "--json")
        equal((run.code, run.json), (code, {"exit": code, "text": "so it went"}))
        equal(run.err, "so it went\n" if code in (1, 2) else "")


@case
def json_prints_the_data():
    run = with_master(says(last(0, "x", STATUS)), "status", "--json")
    equal((run.code, run.json), (0, STATUS))
    equal(list(run.json), list(STATUS))  # in the master's order
    run = with_master(says(last(4, "cut", {"cut": 3})), "--json", "stop")
    equal((run.code, run.json), (4, {"cut": 3}))
    run = with_master(says(last(1, "no", {"why": 1})), "--json", "reload")
    equal((run.code, run.json), (1, {"exit": 1, "text": "no", "data": {"why": 1}}))


@case
def end_of_file_before_the_last_line_is_a_failure():
    for said in (b"", progress("x"), last()[:-5], progress("x") + b'{"exit":0'):
        for flags in ((), ("--json",)):
            run = with_master(says(said), "reload", *flags)
            equal(run.code, 1)
            within("hung up before it had answered", run.err)
            if flags:
                equal(run.json["exit"], 1)


@case
def a_reset_is_a_failure():
    def script(conn, _):
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    equal(with_master(script, "reload").code, 1)


@case
def nonsense_is_no_baton():
    for said in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\n", b"[]\n", b"{}\n", b"7\n",
                 b"\xff\xfe\n", line({"exit": 0}), line({"exit": "0", "text": "x"}),
                 line({"exit": 3, "text": "x"}), line({"exit": 99, "text": "x"}),
                 line({"exit": -1, "text": "x"}), line({"progress": 7}),
                 b"\x00\n", b"{" * 5000 + b"\n", b"A" * 300000 + b"\n"):
        run = with_master(says(said), "reload", "--json")
        equal((run.code, run.json["exit"]), (3, 3))
        within("does not speak as baton does", run.err)
        run = with_master(says(progress("x"), said), "reload")
        equal(run.code, 1)


@case
def an_answer_without_reading_counts():
    """A master that turns a client away answers before it has read anything."""
    path = os.path.join(DIR, "deaf.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def turn_away():
        conn, _ = listener.accept()
        conn.shutdown(socket.SHUT_RD)
        conn.sendall(last(1, "uid 5 may not control this baton"))
        conn.close()
    thread = threading.Thread(target=turn_away)
    thread.start()
    run = Run("-s", path, "reload")
    thread.join()
    listener.close()
    equal((run.code, run.err), (1, "uid 5 may not control this baton\n"))


@case
def split_and_joined_lines():
    said = progress("one") + progress("two", 50) + last(0, "all — of it")

    def script(conn, _):
        for i in range(len(said)):
            conn.sendall(said[i:i + 1])
    run = with_master(script, "reload")
    equal((run.code, run.out), (0, "all — of it\n"))
    run = with_master(says(said), "reload")
    equal((run.code, run.out), (0, "all — of it\n"))
    run = with_master(says(last()[:-1]), "reload")  # complete but for the newline
    equal(run.code, 1)


@case
def what_follows_the_last_line_is_not_read():
    equal(with_master(says(last(), b"garbage\n"), "reload").code, 0)


@case
def unknown_fields_are_ignored():
    j = {"exit": 0, "text": "fine", "data": None, "news": [1]}
    p = {"progress": {"text": "x", "percent": 3.5, "eta": 1}, "more": 1}
    equal(with_master(says(line(p), line(j)), "reload").code, 0)
    equal(with_master(says(line({"exit": 0, "text": "no data"})), "status").out, "no data\n")


@case
def huge_answers():
    holders = [dict(HOLDER, id=i) for i in range(50000)]
    run = with_master(says(last(0, "x", {"connections": holders, "silent": []})), "drain",
                      "--json")
    equal(run.json["connections"], holders)
    run = with_master(says(last(0, "x", {"connections": holders, "silent": []})), "drain")
    equal(len(run.out.splitlines()), 50001)
    run = with_master(says(last(1, "y" * 5000000)), "reload")
    equal((run.code, len(run.err)), (1, 5000001))


@case
def a_stop_ends_when_the_process_has():
    """The master's last line comes a moment before its end; batonctl returns after that."""
    path = os.path.join(DIR, "ends.sock")
    listener = socket.socket(socket.AF_UNIX)
    pipe_r, pipe_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        listener.bind(path)
        listener.listen(1)
        os.write(pipe_w, b"!")
        conn, _ = listener.accept()
        conn.recv(1000)
        conn.sendall(last(0, "stopped"))
        conn.close()
        listener.close()
        sum(range(3000000))  # busy with its end
        os._exit(0)
    os.read(pipe_r, 1)
    run = Run("-s", path, "stop")
    gone, _ = os.waitpid(pid, os.WNOHANG)
    equal((run.code, run.out, gone), (0, "stopped\n", pid))
    os.close(pipe_r)
    os.close(pipe_w)
    listener.close()


# --- for people -----------------------------------------------------------------------------------

@case
def status_for_people():
    run = with_master(says(last(0, "x", STATUS)), "status")
    equal((run.code, run.err), (0, ""))
    equal(run.out, """\
baton 0.1.0, pid 4711, up 1h 2m: running
last upgrade: rolled back after 10s: generation 4: no READY

GENERATION  STATE       AGE  VERSION  WORKERS  NEW  IDLE  BUSY
3           active    1m 5s  0.1.0          4    1  1200     7
2           draining   9.9s  0.0.9     1 of 2    0     0    12

LISTENER  ADDRESS         SERVICE
web       127.0.0.1:8080  site
echo      [::1]:7000      echo

TOTALS
accepted    5000  requests       123456
closed      3780  bytes in         1.5k
cut            0  bytes out        3.0M
handed off     0  worker deaths       1
refused        0
""")
    run = with_master(says(last(0, "x", dict(STATUS, last=None))), "status")
    within("\nno reload or upgrade yet\n", run.out)
    good = {"what": "reload", "outcome": "committed", "reason": "", "took_ms": 120}
    run = with_master(says(last(0, "x", dict(STATUS, last=good))), "status")
    within("\nlast reload: committed after 120ms\n", run.out)


@case
def status_with_warnings_and_counters():
    quiet = with_master(says(last(0, "x", dict(STATUS, warnings=[], counters={}))), "status")
    equal(quiet.out, with_master(says(last(0, "x", STATUS)), "status").out)
    more = dict(STATUS, warnings=["worker 0: a\x1bb", "worker 1: c"],
                counters={"cache_hits": 7, "bytes_saved": 1 << 20, "evil\x07": 1})
    run = with_master(says(last(0, "x", more)), "status")
    equal(run.out, quiet.out.replace("no READY\n", "no READY\nwarning: worker 0: a?b\n"
                                     "warning: worker 1: c\n") +
          """
COUNTERS
cache_hits         7  evil?  1
bytes_saved  1048576
""")


@case
def status_of_another_version():
    def without(j):
        """Copies of j, each with one part missing or of another type."""
        for key in j:
            for strange in (None, -5, "text", [1], {"a": 1}, 1 << 62):
                copy = json.loads(json.dumps(j))
                copy[key] = strange
                yield copy
    for data in list(without(STATUS)) + [7, "x", [], {}]:
        run = with_master(says(last(0, "x", data)), "status")
        equal((run.code, run.err), (0, ""))
    for part in ("generations", "listeners"):
        for row in without(STATUS[part][0]):
            run = with_master(says(last(0, "x", dict(STATUS, **{part: [row, 5]}))), "status")
            equal((run.code, run.err), (0, ""))


@case
def drain_for_people():
    empty = {"connections": [], "silent": []}
    equal(with_master(says(last(0, "x", empty)), "drain").out, "nothing holds a drain\n")
    data = {"connections": [HOLDER, dict(HOLDER, id=12345, peer="[2001:db8::1]:1", left_ms=-1,
                                         age_ms=86400000 * 12 + 3600000 * 3, quiet_ms=None)],
            "silent": [{"generation": 1, "slot": 2, "pid": 33}]}
    equal(with_master(says(last(0, "x", data)), "drain").out, """\
CONNECTION  PEER             LISTENER  GENERATION  PID     AGE  STATE      QUIET  IN  OUT  LEFT  WHY
        77  10.0.0.9:55555   web                2   90   2h 0m  busy 3.2s   40ms  10  20k   12s  in a request
     12345  [2001:db8::1]:1  web                2   90  12d 3h  busy 3.2s      -  10  20k     -  in a request
the worker in slot 2 of generation 1 (pid 33) did not answer; what it holds is unknown
""")
    silent = {"connections": [], "silent": data["silent"]}
    equal(with_master(says(last(0, "x", silent)), "drain").out.startswith("the worker"), True)


@case
def conns_for_people():
    one = {"id": 7, "generation": 2, "slot": 1, "pid": 90, "listener": "web", "service": "site",
           "peer": "10.0.0.9:55555", "state": "idle", "age_ms": 65000, "state_ms": 3200,
           "requests": 12, "bytes_in": 10, "bytes_out": 20480, "warning": "", "quiet_ms": 1500,
           "born": {"how": "accepted", "generation": 2, "birth": 5}}
    moved = dict(one, id=12345, state="busy", quiet_ms=None,
                 born={"how": "handed off", "generation": 1, "birth": 4})
    data = {"connections": [one, moved], "left_off": 0, "silent": []}
    equal(with_master(says(last(0, "x", data)), "conns").out, """\
CONNECTION  GENERATION  SLOT  PID  LISTENER  SERVICE  PEER              AGE  STATE      QUIET  REQUESTS  IN  OUT  BORN
         7           2     1   90  web       site     10.0.0.9:55555  1m 5s  idle 3.2s   1.5s        12  10  20k  accepted
     12345           2     1   90  web       site     10.0.0.9:55555  1m 5s  busy 3.2s      -        12  10  20k  handed off by 1/4
""")
    data = {"connections": [dict(one, warning="stuck", born=5)], "left_off": 3,
            "silent": [{"generation": 1, "slot": 2, "pid": 33}]}
    out = with_master(says(last(0, "x", data)), "conns").out.splitlines()
    equal([out[0].endswith("BORN  WARNING"), out[1].endswith("-     stuck"), out[2:]],
          [True, True, ["and 3 more, which are not shown",
                        "the worker in slot 2 of generation 1 (pid 33) did not answer; what it "
                        "holds is unknown"]])
    for data in ({"connections": []}, {}, 5, {"connections": 7, "left_off": "x"}):
        equal(with_master(says(last(0, "x", data)), "conns").out, "there are no connections\n")


@case
def tasks_for_people():
    one = {"kind": "offload", "generation": 2, "slot": 1, "pid": 90, "name": "resize",
           "state": "runs in a thread", "age_ms": 65000, "state_ms": 3200, "left_ms": None,
           "born": "thumbs.c:12", "warning": "it has run for longer than its limit"}
    ctx = {"kind": "ctx", "generation": 2, "slot": 1, "pid": 90, "name": "", "state": "lives",
           "age_ms": 10, "state_ms": 10, "left_ms": 30000, "born": "/users/{id}", "warning": ""}
    data = {"tasks": [one, ctx], "left_off": 0, "silent": []}
    equal(with_master(says(last(0, "x", data)), "tasks").out, """\
KIND     GENERATION  SLOT  PID  NAME      AGE  STATE                  LEFT  BORN         WARNING
offload           2     1   90  resize  1m 5s  runs in a thread 3.2s     -  thumbs.c:12  it has run for longer than its limit
ctx               2     1   90           10ms  lives 10ms              30s  /users/{id}
""")
    equal(with_master(says(last(0, "x", {"tasks": [], "silent": []})), "tasks").out,
          "there are no tasks\n")


ENTRY = {"seq": 7, "what": "upgrade", "outcome": "rolled_back", "reason": "a\nb", "took_ms": 1500,
         "at_ms": 1000, "generation": 0,
         "by": [{"how": "control", "uid": 0, "pid": 12, "abort": False},
                {"how": "signal", "uid": 123456, "pid": 13, "abort": False}],
         "steps": {"check_ms": 20, "room_ms": 0, "start_ms": 1480, "probation_ms": None}}


@case
def history_for_people():
    data = {"history": [dict(ENTRY, by=[], reason="", at_ms=None, steps=None), ENTRY]}
    run = with_master(says(last(0, "x", data)), "history", env=dict(os.environ, TZ="UTC"))
    equal(run.code, 0)
    equal([re.split("  +", x) for x in run.out.splitlines()], [
        ["WHEN", "WHAT", "OUTCOME", "TOOK", "CHECK", "ROOM", "START", "PROBATION", "BY", "REASON"],
        ["-", "upgrade", "rolled back", "1.5s", "-", "-", "-", "-", "-"],
        ["1970-01-01 00:00:01", "upgrade", "rolled back", "1.5s", "20ms", "0ms", "1.4s", "-",
         "root, signal of uid 123456 (pid 13)", "a; b"]])
    equal(with_master(says(last(0, "x", {"history": []})), "history").out,
          "no reload or upgrade yet\n")
    for strange in ({}, [], 7, {"history": 7}, {"history": [7, {}, {"by": 7}, {"by": [7]}]}):
        equal(with_master(says(last(0, "x", strange)), "history").code, 0)


@case
def history_tells_whom_it_can_behind_sudo_and_systemctl():
    peer = {"how": "control", "uid": 0, "pid": 12, "abort": False, "manager": False, "login": None}
    for change, words in (({}, "root"),
                          ({"login": 0}, "root"),
                          ({"login": 123456}, "root (login uid 123456)"),
                          ({"login": 1, "abort": True}, "abort by root (login daemon)"),
                          ({"uid": 1, "manager": True}, "systemd"),
                          ({"how": "signal", "pid": 1, "manager": True}, "signal of systemd (pid 1)")):
        data = {"history": [dict(ENTRY, by=[dict(peer, **change)], reason="why")]}
        within(f"  {words}  why\n", with_master(says(last(0, "x", data)), "history").out)


@case
def history_names_the_users_in_json_too():
    run = with_master(says(last(0, "x", {"history": [ENTRY]})), "history", "--json")
    equal([a["user"] for a in run.json["history"][0]["by"]], ["root", None])
    entry = dict(ENTRY, by=[dict(ENTRY["by"][0], login=1)])
    run = with_master(says(last(0, "x", {"history": [entry]})), "history", "--json")
    equal(run.json["history"][0]["by"][0]["login_user"], "daemon")
    run = with_master(says(last(2, "this baton (0.0.9) does not know the verb 'history'")),
                      "history")
    equal((run.code, run.out), (2, ""))
    equal(run.err, "this baton (0.0.9) does not know the verb 'history'\n")


@case
def watch_needs_a_terminal():
    run = Run("-s", "/nowhere", "watch")
    equal((run.code, run.out), (2, ""))
    within("watch needs a terminal", run.err)
    equal(Run("watch", "--json").json["exit"], 2)


@case
def what_a_terminal_would_obey_is_not_printed():
    evil = "a\x1b]0;x\x07\x7f\u009b31mé\tz"
    data = {"connections": [dict(HOLDER, peer=evil, why="x\ny")], "silent": []}
    run = with_master(says(last(0, "x", data)), "drain")
    within("a?]0;x???31mé?z", run.out)
    within("x?y\n", run.out)
    run = with_master(says(last(1, evil)), "reload")
    equal(run.err, "a?]0;x???31mé?z\n")


@case
def stdout_that_fails():
    with open("/dev/full", "wb") as full:
        run = with_master(says(last(0, "done")), "reload", stdout=full)
    equal(run.code, 1)
    within("could not be written", run.err)
    holders = [dict(HOLDER, id=i) for i in range(20000)]
    for flags in ((), ("--json",)):  # a reader that has had enough is no failure
        r, w = os.pipe()
        os.close(r)
        run = with_master(says(last(0, "x", {"connections": holders})), "drain", *flags,
                          stdout=w)
        os.close(w)
        equal((run.code, run.err), (0, ""))


# --- nobody there ---------------------------------------------------------------------------------

@case
def no_baton_at_the_socket():
    stale = os.path.join(DIR, "stale.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(stale)
    datagram = os.path.join(DIR, "datagram.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(datagram)
        for path, why in [(os.path.join(DIR, "none"), "No such file"),
                          (stale, "Connection refused"),
                          ("/etc/passwd/x", "Not a directory"),
                          (datagram, "wrong type"),
                          ("/" + "x" * 200, "longer than 107 bytes")]:
            run = Run("-s", path, "status")
            equal((run.code, run.out), (3, ""))
            within("no baton at " + path, run.err)
            within(why, run.err)
            equal(Run("-s", path, "status", "--json").json["exit"], 3)


@case
def default_places_are_all_named():
    if os.path.exists("/run/baton/control.sock"):
        return "a baton runs here"
    user = 61236 if os.geteuid() == 0 else os.geteuid()
    os.chmod(DIR, 0o755)
    run = Run("status", user=user, cwd="/",
              env={"XDG_RUNTIME_DIR": DIR, "RUNTIME_DIRECTORY": "/nowhere:/else"})
    equal((run.code, run.out), (3, ""))
    equal(run.err.splitlines(), ["batonctl: no baton found; tried"] + [
        f"  {path}: No such file or directory" for path in (
            "/nowhere/control.sock", f"{DIR}/baton/control.sock",
            f"/tmp/baton-{user}/control.sock", "/run/baton/control.sock")])
    return None


@case
def the_first_place_that_answers_is_taken():
    os.makedirs(f"{DIR}/a", exist_ok=True)
    with Master(says(last(0, "a")), f"{DIR}/a/control.sock"):
        run = Run("reload", env={"RUNTIME_DIRECTORY": f"{DIR}/a"})
        equal((run.code, run.out), (0, "a\n"))


@case
def permission_denied_and_strangers():
    if os.geteuid() != 0:
        return "only root can be two users"
    os.chmod(DIR, 0o755)
    with Master(says(last(0, "a"))) as master:
        os.chmod(master.path, 0o600)
        run = Run("-s", master.path, "status", user=61236, cwd="/")
        equal(run.code, 3)
        within("Permission denied", run.err)
    path = os.path.join(DIR, "stranger.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o666)
    pipe_r, pipe_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setuid(61237)
        listener.listen(1)
        os.write(pipe_w, b"!")
        signal.pause()
    os.read(pipe_r, 1)
    run = Run("-s", path, "status", user=61236, cwd="/")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    equal(run.code, 3)
    within("belongs to uid 61237", run.err)
    return None


@case
def a_full_queue_has_a_time_limit():
    path = os.path.join(DIR, "full.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen(0)
        waiting = []
        while True:  # until one more would have to wait
            c = socket.socket(socket.AF_UNIX)
            c.setblocking(False)
            waiting.append(c)
            if c.connect_ex(path) == errno.EAGAIN:
                break
        run = Run("-s", path, "status")
        for c in waiting:
            c.close()
    equal(run.code, 3)
    within("no connection within 5 s; is the master stopped?", run.err)


@case
def who_does_not_answer_is_given_up():
    over = threading.Event()

    def script(_conn, _request):
        over.wait(PATIENCE)
    for verb, words in (("status", "what it told last cannot be read: it has no statistics memory"),
                        ("history", ""), ("abort", "it may still do it"),
                        ("stop --now", "SIGKILL")):
        over.clear()
        with Master(script) as master:
            run = Run("-s", master.path, *verb.split(), "--json")
            over.set()
        equal((run.code, run.json["exit"]), (1, 1))
        within(f"baton (pid {os.getpid()}) has not answered for 5 s", run.err)
        within(words, run.json["text"])


@case
def progress_is_an_answer_for_a_while():
    """It is silence that ends the patience, not time."""
    def script(conn, _):
        for i in range(4):
            conn.sendall(progress(f"stopping {i}"))
            threading.Event().wait(2)
        conn.sendall(last(0, "stopped"))
    run = with_master(script, "stop", "--now")
    equal((run.code, run.out), (0, "stopped\n"))


# --- a terminal -----------------------------------------------------------------------------------

def on_terminal(script, *args, width=80):
    """stderr is a terminal: what was written there, exit status, stdout."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    with Master(script) as master:
        p = subprocess.Popen([BATONCTL, "-s", master.path, *args], stdout=subprocess.PIPE,
                             stderr=theirs, stdin=subprocess.DEVNULL)
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 65536)
            except OSError:
                break
        out = p.stdout.read().decode()
        p.stdout.close()
        code = p.wait(PATIENCE)
    os.close(ours)
    return seen.decode(), code, out


def screen(seen):
    """The lines that stand on the terminal in the end, and the widest ever."""
    lines, column, widest = [[]], 0, 0
    for c in seen:
        if c == "\n":
            lines.append([])
        elif c == "\r":
            column = 0
        else:
            row = lines[-1]
            row.extend(" " * (column + 1 - len(row)))
            row[column] = c
            column += 1
            widest = max(widest, column)
    return ["".join(x).rstrip() for x in lines], widest


PROGRESS = [progress("checking", 0), progress("generation 3: 2 of 4 workers ready", 50),
            progress("on probation é", 100), progress("short")]


@case
def progress_is_one_line_that_is_wiped():
    for flags in ((), ("--wait",), ("--wait", "--json")):
        seen, code, out = on_terminal(says(*PROGRESS, last(0, "done")), "reload", *flags)
        equal(code, 0)
        within("[##########          ]  50% generation 3: 2 of 4 workers ready", seen)
        within("[####################] 100% on probation é", seen)
        equal(seen.count("\n"), 0)
        equal(screen(seen)[0], [""])
        equal(seen.endswith("\r"), True)
        equal(json.loads(out)["text"] if "--json" in flags else out.strip(), "done")


@case
def progress_keeps_to_the_width():
    long = progress("word é " * 100, 30)
    for width in (20, 59, 61, 80, 200):
        seen, code, _ = on_terminal(says(long, *PROGRESS, last()), "reload", width=width)
        lines, widest = screen(seen)
        equal((code, lines, widest <= width - 1), (0, [""], True))
    within(" 30% word", on_terminal(says(long, last()), "reload", width=40)[0])


@case
def progress_is_clean_and_survives_strange_numbers():
    for percent in (-1, 101, 1 << 40, -(1 << 40), "x", None, 1.5):
        seen, code, _ = on_terminal(says(progress("a\x1b[2J\nb", percent), last()), "reload")
        equal((code, screen(seen)[0]), (0, [""]))
        within("a?[2J?b", seen)


@case
def a_failure_after_progress_stands_on_a_clean_line():
    seen, code, out = on_terminal(says(*PROGRESS, last(1, "port taken")), "reload")
    equal((code, out), (1, ""))
    equal(screen(seen)[0], ["port taken", ""])


@case
def silence_names_whom_we_wait_for():
    """The master answers only after the terminal has been told whom it waits for."""
    ours, theirs = pty.openpty()
    told = threading.Event()

    def script(conn, _):
        told.wait(PATIENCE)
        conn.sendall(last(0, "at last"))
    with Master(script) as master:
        p = subprocess.Popen([BATONCTL, "-s", master.path, "status"], stdout=subprocess.PIPE,
                             stderr=theirs, stdin=subprocess.DEVNULL)
        os.close(theirs)
        seen = b""
        while b")" not in seen:
            seen += os.read(ours, 65536)
        told.set()
        out = p.stdout.read()
        p.stdout.close()
        equal((p.wait(PATIENCE), out), (0, b"at last\n"))
    os.close(ours)
    within(f"waiting for baton (pid {os.getpid()})", seen.decode())


@case
def without_a_terminal_there_is_no_progress():
    run = with_master(says(*PROGRESS, last()), "reload", "--wait")
    equal((run.code, run.out, run.err), (0, "done\n", ""))


def main():
    failed = 0
    if not os.access(BATONCTL, os.X_OK):
        print(f"not ok - {BATONCTL} is not there")
        return 1
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for fn in cases:
        name = fn.__name__.replace("_", " ")
        try:
            skipped = fn()
            print(f"ok - {name}" + (f" # skipped: {skipped}" if skipped else ""), flush=True)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok - {name}: {type(e).__name__}: {e}", flush=True)
    shutil.rmtree(DIR)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
