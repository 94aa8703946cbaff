#!/usr/bin/env python3
"""check_load: proves the strict client tests/load.

A client that reports "0 lost" is worth as much as its eye for losses. Here it meets servers that
fail in each of the ways it must tell apart, one way at a time, and its count of every class has
to be exact, the classes that did not happen included. Nothing is asserted about time.

usage: check_load.py [PATH-OF-LOAD]     (default $LOAD, then ./tests/load)
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

LOAD = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LOAD", "./tests/load")
TEXT = "hello, world\n"
CLASSES = ("refused", "reset", "timeout", "truncated", "lost_after_send", "closed_idle",
           "bad_answer", "wrong_bytes", "local", "closed_announced", "retried")
LIMITED = ("--timeout", 0.3, "--grace", 1000)
PATIENCE = 60  # seconds until a client that hangs is a failure

results = []


# --- servers that misbehave ---------------------------------------------------------------------

class Server:
    """Runs behave(server, connection, number) in a thread for each connection it accepts."""

    def __init__(self, behave, family=socket.AF_INET, address=("127.0.0.1", 0), backlog=512):
        self.behave = behave
        self.lock = threading.Lock()
        self.accepted = 0
        self.requests = 0
        self.peers = set()
        self.held = []  # connections that must stay open
        self.go = threading.Event()       # for servers that do their mischief on a word
        self.release = threading.Event()  # the test is over
        self.listener = socket.socket(family)
        self.listener.bind(address)
        self.listener.listen(backlog)
        threading.Thread(target=self.run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release.set()
        self.listener.close()

    @property
    def target(self):
        name = self.listener.getsockname()
        if self.listener.family == socket.AF_UNIX:
            return f"unix:{name}"
        if self.listener.family == socket.AF_INET6:
            return f"[{name[0]}]:{name[1]}"
        return f"{name[0]}:{name[1]}"

    def run(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
                number = self.accepted
                self.peers.add(peer[0] if peer else "")
            threading.Thread(target=self.serve, args=(connection, number), daemon=True).start()

    def serve(self, connection, number):
        try:
            self.behave(self, connection, number)
        except OSError:
            pass
        if connection not in self.held:
            connection.close()

    def until(self, requests):
        while self.requests < requests:
            time.sleep(0.005)

    def request(self, connection):
        """Reads one request, body included; None at the end of file."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return None
            head += byte
        left = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                left = int(line.split(b":")[1])
        while left > 0:
            left -= len(connection.recv(min(left, 65536)))
        with self.lock:
            self.requests += 1
        return head


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_by_client(connection):
    """Waits until the client has read everything that was sent, by the kernel's own account."""
    def name(address):
        host = struct.unpack("=I", socket.inet_aton(address[0]))[0]
        return f"{host:08X}:{address[1]:04X}"
    wanted = [name(connection.getpeername()), name(connection.getsockname())]
    while True:
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table]
        if not any(row[1:3] == wanted and row[4].split(":")[1] != "00000000" for row in rows):
            return
        time.sleep(0.002)


def reset_when_read(connection):
    read_by_client(connection)
    reset(connection)


def answer(body=TEXT, status="200 OK", headers="", length=None):
    if length is None:
        length = len(body)
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}".encode()


CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"5;x=y\r\nhello\r\n8\r\n, world\n\r\n0\r\nTrailer: 1\r\n\r\n")


def says(data, then=None):
    """A server that answers each connection's first request with data."""
    def behave(server, connection, number):
        if server.request(connection):
            connection.sendall(data)
            if then:
                then(connection)
    return behave


def keeps(data=answer()):
    """A good keep-alive server."""
    def behave(server, connection, number):
        while (head := server.request(connection)) is not None:
            connection.sendall(data)
            if b"Connection: close" in head:
                return
    return behave


def dribbles(server, connection, number):
    server.request(connection)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in CHUNKED:
        connection.sendall(bytes([byte]))


def hangs(server, connection, number):
    server.request(connection)
    server.release.wait(PATIENCE)


def keeps_open(server, connection, number):
    """Answers, and does not close although it was asked to."""
    server.request(connection)
    connection.sendall(answer())
    server.release.wait(PATIENCE)


def every_tenth(fail):
    def behave(server, connection, number):
        server.request(connection)
        if number % 10 == 0:
            fail(connection)
        else:
            connection.sendall(answer())
    return behave


def echo(server, connection, number):
    while data := connection.recv(65536):
        connection.sendall(data)


def echo_but(change, after=20000):
    """An echo that is right for some bytes, and then does something else with the rest."""
    def behave(server, connection, number):
        done = 0
        while data := connection.recv(65536):
            done += len(data)
            if done < after:
                connection.sendall(data)
                continue
            change(connection, data)
            echo(server, connection, number)
            return
    return behave


def flip(connection, data):
    connection.sendall(data[:-1] + bytes([data[-1] ^ 1]))


def swap(connection, data):
    connection.sendall(data[::-1])


def extra(connection, data):
    connection.sendall(data + b"x")


def drop(connection, data):
    connection.sendall(data[:-1])


def hold_first(connection, data):
    connection.shutdown(socket.SHUT_WR)


def never_closes(server, connection, number):
    echo(server, connection, number)
    server.release.wait(PATIENCE)


# --- running the client -------------------------------------------------------------------------

def check(name, good, detail=""):
    results.append(good)
    print(f"ok - {name}" if good else f"not ok - {name}: {detail}", flush=True)


def run(*arguments):
    done = subprocess.run([LOAD, *map(str, arguments)], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, lines[-1] if lines else {}, done.stderr


def judge(name, outcome, sent=None, answered=None, more=None, **classes):
    """The outcome must have exactly these counts, 0 in all the other classes, and their exit."""
    code, tally, stderr = outcome
    faults = sum(n for c, n in classes.items() if c not in ("closed_announced", "retried"))
    expected = dict.fromkeys(CLASSES, 0) | classes | {"in_flight": 0, "faults": faults}
    if sent is not None:
        expected["sent"] = sent
    if answered is not None:
        expected["answered"] = answered
    expected |= more or {}
    wrong = [f"{key} is {tally.get(key)}, not {n}"
             for key, n in expected.items() if tally.get(key) != n]
    if code != (1 if faults else 0):
        wrong.append(f"exit {code}")
    if faults and not tally.get("errors"):
        wrong.append("no sentence")
    if len(tally.get("errors", [])) > 10:
        wrong.append("more than ten sentences")
    check(name, not wrong, "; ".join(wrong + tally.get("errors", [])[:3] + [stderr.strip()]))


def single(name, behave, mode="new", options=(), **expected):
    """One client, one request or as many as the options say, against one kind of server."""
    with Server(behave) as server:
        outcome = run(mode, "--clients", 1, "--requests", 1, "--body", TEXT, *options,
                      server.target)
        judge(name, outcome, **expected)


# --- the cases ----------------------------------------------------------------------------------

def good_servers():
    for mode in ("new", "keep"):
        with Server(keeps()) as server:
            outcome = run(mode, "--clients", 8, "--requests", 300, "--body", TEXT, "--think", "0-3",
                          "--post-share", 40, "--pipeline", 5 if mode == "keep" else 1,
                          "--pipeline-share", 50, server.target)
            judge(f"{mode}: a good server", outcome, sent=300, answered=300)
            check(f"{mode}: both sides count alike", server.requests == 300 and
                  server.accepted == outcome[1]["connections"],
                  f"{server.requests} requests on {server.accepted} connections")
    single("new: a chunked answer", says(CHUNKED), sent=1, answered=1)
    single("new: an answer byte by byte", dribbles, sent=1, answered=1)
    single("new: an empty body", says(answer("")), options=["--body", ""], sent=1, answered=1)
    single("new: any body, when none is given", says(answer("xyz")), options=[], sent=1,
           bad_answer=1, answered=0)
    single("new: another status when it is asked for", says(answer(status="404 Not Found")),
           options=["--status", 404], sent=1, answered=1)
    single("keep: a POST of 8 MB goes out in many writes", keeps(), "keep",
           ["--post-share", 100, "--post-size", 8 << 20, "--requests", 3], sent=3, answered=3)
    with Server(keeps()) as server:
        client = Client("idle", "--clients", 300, "--touch", "--body", TEXT, "--ready",
                        server.target)
        client.line()
        client.stop()
        outcome = client.outcome()
        judge("idle: held by a good server", outcome, sent=300, answered=300,
              more={"connections": 300})
    with Server(echo) as server:
        outcome = run("echo", "--clients", 20, "--requests", 1000, "--pace", "0-4", server.target)
        judge("echo: a good server", outcome, sent=1000, answered=1000)
        check("echo: as many bytes back as out",
              outcome[1]["bytes_sent"] == outcome[1]["bytes_received"] > 0)
    single("echo: writes of megabytes", echo, "echo",
           ["--requests", 40, "--pace", 0, "--size", "1-4000000"], sent=40, answered=40)


def other_targets():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        with Server(keeps(), socket.AF_UNIX, path, backlog=1) as server:
            judge("unix: a short queue is waited for",
                  run("new", "--clients", 50, "--requests", 200, "--body", TEXT, server.target),
                  sent=200, answered=200)
        judge("unix: no such socket is a refusal",
              run("new", "--requests", 3, f"unix:{folder}/none"), sent=0, refused=3)
    with Server(keeps()) as server:
        judge("sources: a range", run("new", "--requests", 40, "--sources", "127.0.0.2-127.0.0.5",
                                      server.target), sent=40, answered=40)
        check("sources: each was used", server.peers == {f"127.0.0.{n}" for n in range(2, 6)},
              str(server.peers))
        judge("local: an address that is not ours is our own fault",
              run("new", "--requests", 2, "--source", "192.0.2.1", server.target), local=2, sent=0)
    if not os.path.exists("/proc/net/if_inet6"):
        print("ok - ipv6 # SKIP not on this machine")
        return
    with Server(keeps(), socket.AF_INET6, ("::1", 0)) as server:
        judge("ipv6", run("new", "--requests", 5, server.target), sent=5, answered=5)


def closed_port():
    with socket.socket() as s:  # bound, not listening: nobody else gets the port
        s.bind(("127.0.0.1", 0))
        target = "127.0.0.1:%d" % s.getsockname()[1]
        judge("refused", run("new", "--requests", 30, "--rate", 1000, target), sent=0, refused=30)
        judge("refused: idle gives up", run("idle", "--clients", 5, target), sent=0, refused=5)


def waiting_in(listener):
    """How many are in its queue: for a listening socket the kernel tells it as tcpi_unacked."""
    return struct.unpack_from("I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32), 24)[0]


def full_queue():
    """The listener's queue is full and nobody accepts: the connect never ends."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(s.getsockname())
        end = time.monotonic() + PATIENCE
        while waiting_in(s) == 0 and time.monotonic() < end:
            time.sleep(0.01)
        target = "127.0.0.1:%d" % s.getsockname()[1]
        judge("timeout: a connect", run("new", "--requests", 1, *LIMITED, target), sent=0,
              timeout=1)
        for filler in fillers:
            filler.close()


def lost_requests():
    single("reset: before the answer", says(b"", reset), sent=1, answered=0, reset=1)
    single("reset: at once", lambda server, connection, number: reset(connection), reset=1,
           answered=0)
    single("reset: in the middle of an answer", says(
        answer()[:-3], reset_when_read), sent=1, answered=0, reset=1)
    single("reset: after a complete answer, in place of the end of file", says(
        answer(), reset_when_read), sent=1, answered=0, reset=1)
    single("lost: closed before the answer", says(b""), sent=1, answered=0, lost_after_send=1)
    single("truncated: in the body", says(answer()[:-1]), sent=1, answered=0, truncated=1)
    single("truncated: in the head", says(answer()[:20]), sent=1, answered=0, truncated=1)
    single("truncated: in a chunk", says(CHUNKED[:-25]), sent=1, answered=0, truncated=1)
    single("truncated: before the last CRLF", says(CHUNKED[:-2]), sent=1, answered=0, truncated=1)
    single("timeout: no answer", hangs, options=LIMITED, sent=1, answered=0, timeout=1)
    single("timeout: answered but not closed", keeps_open, options=LIMITED, sent=1, answered=0,
           timeout=1)
    for name, fail, kind in (("lost", lambda c: None, "lost_after_send"),
                             ("reset", reset, "reset"),
                             ("truncated", lambda c: c.sendall(answer()[:-1]), "truncated")):
        with Server(every_tenth(fail)) as server:
            judge(f"{name}: every tenth, and only those",
                  run("new", "--clients", 8, "--requests", 200, "--body", TEXT, server.target),
                  sent=200, answered=180, **{kind: 20})


def bad_answers():
    cases = {
        "another body": answer("hello, World\n"),
        "a longer body": answer(TEXT + "x"),
        "a shorter body": answer(TEXT[:-1]),
        "a shorter body in chunks": CHUNKED.replace(b"8\r\n, world\n\r\n", b""),
        "another status": answer(status="503 Service Unavailable"),
        "bytes behind the answer": answer() + b"x",
        "no length": b"HTTP/1.1 200 OK\r\n\r\n" + TEXT.encode(),
        "two lengths": answer(headers="Content-Length: 13\r\n"),
        "a negative length": answer(length=-1),
        "bare line feeds": answer().replace(b"\r\n", b"\n"),
        "no HTTP": b"SSH-2.0-OpenSSH_9.2p1\r\n",
        "a chunk longer than its size": CHUNKED.replace(b"world\n\r\n", b"world\nxx\r\n"),
        "a NUL in the head": answer(headers="X: a\0b\r\n"),
    }
    for name, data in cases.items():
        single(f"bad answer: {name}", says(data), sent=1, answered=0, bad_answer=1)


def keep_alive():
    options = ["--requests", 6, "--think", "1"]
    slowly = ["--requests", 3, "--think", "4000"]  # what the server does meanwhile may take its time
    last = answer(headers="Connection: close\r\n")
    single("keep: an announced close is not an error", says(last), "keep", options, sent=6,
           answered=6, closed_announced=6, more={"connections": 6})
    single("keep: nor is that of HTTP/1.0", says(answer().replace(b"HTTP/1.1", b"HTTP/1.0")),
           "keep", options, sent=6, answered=6, closed_announced=6)
    single("keep: an announced close by RST is one", says(last, reset_when_read), "keep",
           [], sent=1, answered=0, reset=1)
    single("keep: requests behind an announced close are sent again", says(last, lambda c: (
        c.shutdown(socket.SHUT_WR), c.recv(65536))), "keep",
           ["--requests", 4, "--pipeline", 4, "--pipeline-share", 100, "--seed", 2],
           answered=4, more={"unanswered": 0}, **retry_counts())
    single("keep: an unannounced close while idle", closes_two(socket.socket.close), "keep",
           slowly, sent=3, answered=3, closed_idle=2)
    single("keep: a reset while idle", closes_two(reset_when_read), "keep", slowly, sent=3,
           answered=3, closed_idle=2)
    single("keep: closed with two of four unanswered", two_of_four, "keep",
           ["--requests", 4, "--pipeline", 4, "--pipeline-share", 100, "--seed", burst_seed()],
           sent=4, answered=2, lost_after_send=2)


def retry_counts():
    """What a server that answers one request per connection makes of bursts of 2, 3 or 4 whose
    sizes the seed decides: asked from the client itself, then required to add up."""
    with Server(says(answer(headers="Connection: close\r\n"), lambda c: (
            c.shutdown(socket.SHUT_WR), c.recv(65536)))) as server:
        tally = run("keep", "--clients", 1, "--requests", 4, "--pipeline", 4, "--pipeline-share",
                    100, "--seed", 2, server.target)[1]
    check("keep: sent is answered and retried", tally["sent"] == tally["answered"] +
          tally["retried"] and tally["retried"] > 0 and tally["closed_announced"] == 4)
    return {"retried": tally["retried"], "closed_announced": 4}


def burst_seed():
    """A seed whose first burst has all four requests."""
    for seed in range(1, 100):
        with Server(keeps()) as server:
            tally = run("keep", "--clients", 1, "--requests", 4, "--pipeline", 4,
                        "--pipeline-share", 100, "--seed", seed, "--think", "1000",
                        "--seconds", 1.2, server.target)[1]
            if tally["sent"] == 4:
                return seed
    return 1


def closes_two(how):
    """Answers, and ends the connection without a word; the third one is good."""
    def behave(server, connection, number):
        server.request(connection)
        connection.sendall(answer())
        if number == 3:
            server.release.wait(PATIENCE)
        else:
            how(connection)
    return behave


def two_of_four(server, connection, number):
    for _ in range(4):
        server.request(connection)
    connection.sendall(answer() * 2)


def mischief(how, touched):
    """Ends every third connection, once it is told to go."""
    def behave(server, connection, number):
        if touched:
            server.request(connection)
            connection.sendall(answer())
        if number % 3 == 0:
            server.go.wait(PATIENCE)
            how(connection)
        else:
            server.held.append(connection)
    return behave


class Client:
    """A client in the background, told by signals."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([LOAD, *map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def line(self):
        return json.loads(self.process.stdout.readline())

    def snapshot(self):
        self.process.send_signal(signal.SIGUSR1)
        return self.line()

    def until(self, fact):
        """Waits until a snapshot shows the fact."""
        end = time.monotonic() + PATIENCE
        while not fact(self.snapshot()):
            if time.monotonic() > end:
                raise TimeoutError("no snapshot shows it")
            time.sleep(0.01)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def outcome(self):
        line = self.line()
        self.process.stdin.close()
        return self.process.wait(PATIENCE), line, ""


def idle_connections():
    for touched in (False, True):
        options = ["--touch"] if touched else []
        name = "touched" if touched else "fresh"
        for what, how, kind in (("closed", socket.socket.close, "closed_idle"),
                                ("reset", reset_when_read, "closed_idle"),
                                ("spoken to", lambda c: c.sendall(b"x"), "bad_answer")):
            with Server(mischief(how, touched)) as server:
                client = Client("idle", "--clients", 30, "--ready", *options, server.target)
                ready = client.line()
                server.go.set()
                client.until(lambda tally, k=kind: tally[k] >= 10)
                client.stop()
                judge(f"idle: {name} connections {what}", client.outcome(),
                      more={"connections": ready["connections"]}, **{kind: 10})


def only(number, then):
    """Answers every connection's first request; to the next one those from `number` on get
    `then`, the others an answer."""
    def behave(server, connection, n):
        while server.request(connection) is not None:
            connection.sendall(answer())
            if n < number:
                continue
            if server.request(connection) is not None:
                then(connection)
            return
    return behave


def probes():
    """A connection that looks well and is not: known only by asking."""
    def deaf(connection):
        time.sleep(PATIENCE)

    with Server(keeps()) as server:
        outcome = run("idle", "--clients", 20, "--touch", "--probe", "1-20", "--requests", 200,
                      "--last", "--post-share", 30, "--body", TEXT, server.target)
        judge("probe: a good server", outcome, sent=240, answered=240, more={"connections": 20})
        check("probe: both sides count alike", server.requests == 240 and server.accepted == 20)
    for name, then, kind in (("deaf", deaf, "timeout"),
                             ("closed", lambda c: None, "lost_after_send"),
                             ("reset", reset, "reset"),
                             ("cut short", lambda c: c.sendall(answer()[:-1]), "truncated"),
                             ("wrong", lambda c: c.sendall(answer("hello, World\n")),
                              "bad_answer")):
        with Server(only(8, then)) as server:
            judge(f"probe: connections that are {name} when they are asked",
                  run("idle", "--clients", 10, "--touch", "--last", "--seconds", 0.2, "--timeout",
                      0.3, "--body", TEXT, server.target),
                  sent=20, answered=17, **{kind: 3})
        with Server(only(1, then)) as server:
            judge(f"probe: and now and then, {name}",
                  run("idle", "--clients", 10, "--touch", "--probe", "1-100", "--timeout", 0.3,
                      "--body", TEXT, server.target), sent=20, answered=10, **{kind: 10})


def last_requests():
    def half_deaf(server, connection, number):
        """Echoes the first write only."""
        connection.sendall(connection.recv(65536))
        while connection.recv(65536):
            continue

    with Server(half_deaf) as server:
        idle_streams = ["--clients", 6, "--pace", "1-100", "--size", 1, "--requests", 1]
        code, tally, _ = run("echo", *idle_streams, server.target)
        check("last: without it, five streams are believed to be well", code == 0 and
              tally["answered"] == 1, json.dumps(tally))
    with Server(half_deaf) as server:
        judge("last: with it, the deaf stream is found", run(
            "echo", *idle_streams, "--last", "--timeout", 0.3, server.target), sent=7, answered=6,
              timeout=1)
    with Server(only(1, lambda c: None)) as server:
        judge("last: keep", run("keep", "--clients", 1, "--requests", 1, "--last", server.target),
              sent=2, answered=1, lost_after_send=1)


def reopened():
    with Server(mischief(socket.socket.close, True)) as server:
        client = Client("idle", "--clients", 20, "--touch", "--reopen", server.target)
        server.until(20)
        server.go.set()  # 6 of 20 close, then 2 of these 6, and so on
        client.until(lambda tally: tally["closed_idle"] == 9 and tally["open"] == 20)
        client.stop()
        judge("reopen: what was closed stands again", client.outcome(), sent=29, answered=29,
              closed_idle=9, more={"connections": 29})


def split_requests():
    """Requests that arrive in two parts, as a server may never have seen them in a test."""
    split = ["--split-share", 100, "--split-pause"]
    whole_answer = answer(headers="Connection: close\r\n")

    def one_look(server, connection, number):
        """Takes what one read gives for a request, and forgets what is none."""
        while data := connection.recv(65536):
            if data.startswith(b"GET ") and data.endswith(b"\r\n\r\n"):
                connection.sendall(answer())

    def eager(data):
        def behave(server, connection, number):
            connection.recv(1)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                continue
        return behave

    for mode in ("new", "keep"):
        with Server(keeps()) as server:
            outcome = run(mode, "--clients", 8, "--requests", 200, "--body", TEXT, "--think", "0-3",
                          "--post-share", 40, "--pipeline", 5 if mode == "keep" else 1, *split,
                          "0-5", server.target)
            judge(f"split: {mode}, a good server", outcome, sent=200, answered=200)
            check(f"split: {mode}, both sides count alike", server.requests == 200)
    single("split: without it, a server of one look is good enough", one_look, "keep",
           ["--requests", 5, "--think", 0], sent=5, answered=5)
    single("split: with it, it is not", one_look, "keep", [*LIMITED, *split, 20], sent=1,
           answered=0, timeout=1)
    single("split: an answer before the end of the request", eager(answer()), "keep",
           [*split, 1000000], sent=1, answered=0, bad_answer=1)
    single("split: one that announces the close is in order", eager(whole_answer), "keep",
           [*split, 1000000], sent=1, answered=1, closed_announced=1)
    single("split: closed between the parts", lambda server, connection, number: (
        connection.recv(1), read_all(connection)), "keep", [*split, 1000000], sent=1, answered=0,
           lost_after_send=1)
    single("split: reset between the parts", lambda server, connection, number: (
        connection.recv(1), reset(connection)), "keep", [*split, 1000000], sent=1, answered=0,
           reset=1)


def read_all(connection):
    """What is there, so that a close is no reset."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            continue
    except BlockingIOError:
        return


def streams():
    base = ["--requests", 400, "--pace", 1, "--size", "500-1500"]
    stop = ["--requests", 10 ** 6, "--pace", 1, "--size", "500-1500", "--seconds", 0.6]
    for name, change in (("one bit flipped", flip), ("bytes in another order", swap),
                         ("a byte too many", extra), ("a byte missing", drop)):
        with Server(echo_but(change)) as server:
            code, tally, _ = run("echo", "--clients", 1, *base, server.target)
            # behind a byte that is missing near the end nothing comes that could be wrong
            late = tally["timeout"] if change is drop else 0
            check(f"echo: {name}", code == 1 and tally["wrong_bytes"] > 0 and late <= 1 and
                  tally["faults"] == tally["wrong_bytes"] + late, json.dumps(tally))
    for name, how, kind in (("closed under way", hold_first, "lost_after_send"),
                            ("reset under way", lambda c, data: reset(c), "reset")):
        with Server(echo_but(how)) as server:
            code, tally, _ = run("echo", "--clients", 1, *base, server.target)
            check(f"echo: {name}", code == 1 and tally[kind] == tally["faults"] ==
                  tally["unanswered"] > 0, json.dumps(tally))
    single("echo: the last byte never comes back", echo_but(lambda c, data: (
        c.sendall(data[:-1]), c.recv(1)), 1), "echo", LIMITED, sent=1, answered=0,
           timeout=1)
    with Server(never_closes) as server:
        judge("echo: our end of file is not answered",
              run("echo", "--clients", 1, *stop, "--grace", 0.3, server.target), timeout=1)


def upgrades():
    """A stream behind a 101, which counts as one more write."""
    good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    def switch(said, pieces=1):
        def behave(server, connection, number):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(1)
            check("upgrade: is asked for", b"\r\nUpgrade: websocket\r\n" in head)
            for i in range(0, len(said), len(said) // pieces):
                connection.sendall(said[i:i + len(said) // pieces])
            echo(server, connection, number)
        return behave

    for name, pieces in (("at once", 1), ("byte by byte", len(good))):
        single(f"upgrade: {name}", switch(good.encode(), pieces), "echo",
               ["--upgrade", "--pace", 1, "--requests", 100], sent=100, answered=100)
    for name, said in (("refused", answer()), ("no HTTP", b"SSH-2.0\r\n\r\n")):
        single(f"upgrade: {name}", switch(said), "echo", ["--upgrade"], sent=1, answered=0,
               bad_answer=1)
    single("upgrade: a byte that nobody has sent", switch((good + "x").encode()), "echo",
           ["--upgrade"], sent=1, answered=1, wrong_bytes=1)
    single("upgrade: no answer", hangs, "echo", ["--upgrade", *LIMITED], sent=1, answered=0,
           timeout=1)


def gaps():
    """The longest wait: known from below, because the server or the limit made it so."""
    def late(server, connection, number):
        connection.sendall(connection.recv(65536))
        data = connection.recv(65536)
        time.sleep(0.3)
        connection.sendall(data)
        echo(server, connection, number)

    def longest(name, tally):
        check(f"gap: {name}", 300 <= tally["max_gap_ms"] < tally["max_gap_at"] * 1000 + 1 and
              tally["max_gap_at"] <= tally["seconds"], json.dumps(tally))
    with Server(late) as server:
        _, tally, _ = run("echo", "--clients", 1, "--requests", 200, "--size", 1, "--pace", 5,
                          server.target)
        longest("one late echo among others", tally)
        check("gap: and no fault", tally["faults"] == 0 and tally["answered"] == 200)
        check("gap: the middle does not show it", tally["p50_ms"] < tally["p99_ms"] <=
              tally["max_gap_ms"], json.dumps(tally))
    for mode in ("new", "keep", "echo"):
        with Server(hangs if mode != "echo" else lambda server, connection, number:
                    server.release.wait(PATIENCE)) as server:
            _, tally, _ = run(mode, "--clients", 1, "--requests", 1, *LIMITED, server.target)
            longest(f"{mode}: a wait in vain counts", tally)
    with Server(hangs) as server:
        client = Client("keep", "--clients", 1, "--think", 0, server.target)
        server.until(1)
        client.until(lambda tally: tally["max_gap_ms"] >= 300)
        check("gap: a wait that goes on counts in a snapshot", client.snapshot()["in_flight"] == 1)
        client.process.kill()
        client.process.wait()


def stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def own_lateness():
    """A client that could not run says so, or its gaps would be held against the server."""
    with Server(keeps()) as server:
        client = Client("idle", "--clients", 1, "--ready", server.target)
        client.line()
        client.stop(signal.SIGSTOP)
        while not stopped(client.process.pid):
            time.sleep(0.002)
        time.sleep(0.4)
        client.stop(signal.SIGCONT)
        client.until(lambda tally: tally["max_lag_ms"] >= 300)
        client.stop()
        judge("a client that was held up tells how long", client.outcome())


def stops():
    for mode in ("new", "keep"):
        with Server(hangs) as server:
            client = Client(mode, "--clients", 4, "--think", 0, "--grace", 0.2, server.target)
            server.until(4)
            client.stop()
            judge(f"{mode}: what is not answered in the grace is a timeout", client.outcome(),
                  sent=4, answered=0, timeout=4)
        with Server(says(answer(headers="Connection: close\r\n")) if mode == "new" else
                    keeps()) as server:
            client = Client(mode, "--clients", 4, "--think", 0, "--rate", 500, server.target)
            server.until(50)
            client.stop()
            outcome = client.outcome()
            judge(f"{mode}: what is in flight at the stop is finished", outcome,
                  sent=server.requests, answered=server.requests)
    with Server(hangs) as server:
        client = Client("idle", "--touch", "--clients", 2, "--grace", 1000, "--timeout", 1000,
                        server.target)
        server.until(2)
        client.stop(signal.SIGINT)
        time.sleep(0.1)  # two of the same signal at once are one
        client.stop(signal.SIGINT)
        judge("a second signal stops it at once", client.outcome(), sent=2, timeout=2)


def end_of_file():
    with Server(keeps()) as server:
        client = Client("keep", "--clients", 3, "--until-eof", "--think", 0, server.target)
        client.process.stdin.write("this is not the end\n")
        client.process.stdin.flush()
        server.until(20)
        check("until-eof: words on stdin are not its end", client.snapshot()["open"] == 3)
        client.process.stdin.close()
        judge("until-eof: the end is", client.outcome())
    with Server(keeps()) as server:
        client = Client("keep", "--clients", 3, "--think", 0, server.target)
        client.process.stdin.close()
        server.until(20)
        check("until-eof: without it, the end of stdin is none of ours",
              client.snapshot()["open"] == 3)
        client.stop()
        judge("until-eof: but the signal is", client.outcome())


def signals():
    with Server(keeps()) as server:
        client = Client("keep", "--clients", 7, "--ready", server.target)
        ready = client.line()
        check("ready when all are connected", ready["event"] == "ready" and
              ready["connections"] == ready["open"] == 7)
        snapshot = client.snapshot()
        check("USR1 prints a snapshot and goes on", snapshot["event"] == "snapshot" and
              snapshot["open"] == 7 and client.process.poll() is None)
        client.stop()
        judge("TERM stops it", client.outcome(), more={"event": "final", "open": 0})


def usage():
    for arguments in ((), ("new",), ("old", "127.0.0.1:1"), ("new", "127.0.0.1"),
                      ("new", "--clients", "0", "127.0.0.1:1"), ("new", "--think", "5-2", "a:1"),
                      ("new", "--nonsense", "127.0.0.1:1"),
                      ("keep", "--upgrade", "127.0.0.1:1"),
                      ("new", "--source", "::1", "127.0.0.1:1")):
        done = subprocess.run([LOAD, *arguments], capture_output=True, text=True, check=False,
                              timeout=PATIENCE)
        check("usage: " + " ".join(arguments), done.returncode == 2 and done.stderr != "" and
              done.stdout == "", done.stderr)


def main():
    for cases in (usage, good_servers, other_targets, closed_port, full_queue, lost_requests,
                  bad_answers, keep_alive, idle_connections, probes, last_requests, reopened,
                  split_requests, streams, upgrades, gaps, own_lateness, stops, end_of_file, signals):
        cases()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
