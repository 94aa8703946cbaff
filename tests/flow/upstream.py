"""Servers behind a reverse proxy that do what a test tells them.

A Backend answers each connection in a thread of its own with a script: a function that
gets a Peer and returns when it is done with it.  What came is recorded as it came.
"""

import multiprocessing
import os
import selectors
import socket
import struct
import threading

from baton import PATIENCE, Baton, Client, Failure

RESET = struct.pack("ii", 1, 0)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def proxied(upstreams, more="", **settings):
    """A baton with a reverse proxy to these, beside its own echo and http."""
    ups = "".join(f"upstream = {getattr(u, 'address', u)}\n" for u in upstreams)
    text = ("\n[listen:px]\naddress = 127.0.0.1:0\nservice = px\n"
            f"[service:px]\ntype = http\n{ups}{more}\n")
    return Baton(more=text, **settings)


def is_head(data):
    return b"\r\n\r\n" in data


class Gone(Exception):
    """The other side has closed, or reset."""


def read_chunk(stream):
    """The bytes of the next one; the last one goes with its trailers."""
    n = int(stream.until(b"\r\n").split(b";")[0], 16)
    data = stream.exactly(n)
    while n == 0 and stream.until(b"\r\n") != b"\r\n":
        pass
    if n > 0 and stream.exactly(2) != b"\r\n":
        raise Failure("a chunk without its end")
    return data


class Request:
    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        self.method, self.target = lines[0].split(" ")[:2]
        self.headers = {name.lower(): value.strip() for name, value in self.lines_of_all()}
        self.body = b""

    def lines_of_all(self):
        """Whatever has a colon, as a reader sees it who is not strict."""
        lines = self.raw.decode("latin-1").split("\r\n")[1:]
        return [line.split(":", 1) for line in lines if ":" in line]


class Peer:
    """One connection, as the backend sees it."""

    def __init__(self, backend, sock):
        self.backend, self.sock = backend, sock
        self.sock.settimeout(PATIENCE)
        self.buffer = b""

    def fill(self):
        try:
            data = self.sock.recv(1 << 16)
        except OSError as e:
            raise Gone(str(e)) from e
        if not data:
            raise Gone("closed")
        self.backend.heard += data if self.backend.listens else b""
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.fill()
        at = self.buffer.index(mark) + len(mark)
        data, self.buffer = self.buffer[:at], self.buffer[at:]
        return data

    def exactly(self, n):
        while len(self.buffer) < n:
            self.fill()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def head(self):
        r = Request(self.until(b"\r\n\r\n"))
        self.backend.requests.append(r)
        return r

    def chunk(self):
        return read_chunk(self)

    def request(self):
        """A whole one."""
        r = self.head()
        if "transfer-encoding" in r.headers:
            while part := self.chunk():
                r.body += part
        else:
            r.body = self.exactly(int(r.headers.get("content-length", "0")))
        return r

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as e:
            raise Gone(str(e)) from e

    def answer(self, body=b"ok", status="200 OK", more="", head_only=False):
        head = f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode()
        self.send(head + (b"" if head_only else body))

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()

    def wait_for_its_end(self):
        while True:
            self.fill()
            self.buffer = b""


def serve(peer):
    """Every request is answered with its own body, or its target."""
    while True:
        r = peer.request()
        peer.answer(r.body or r.target.encode(), head_only=r.method == "HEAD")


class Backend:
    def __init__(self, script=serve, backlog=512, path=None, listens=False):
        self.script, self.listens = script, listens
        self.accepted, self.open, self.requests, self.heard = 0, 0, [], b""
        self.failures = []
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if path:
            self.listener.bind(path.replace("@", "\0"))
            if path.startswith("/"):
                os.chmod(path, 0o777)
            self.address = "unix:" + path
        else:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.listener.listen(backlog)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
                self.open += 1
            threading.Thread(target=self.attend, args=(sock,), daemon=True).start()

    def attend(self, sock):
        try:
            self.script(Peer(self, sock))
        except (Gone, OSError):
            pass
        except Exception as e:  # pylint: disable=broad-except
            self.failures.append(e)
        finally:
            sock.close()
            with self.lock:
                self.open -= 1

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        self.close()
        if kind is None and self.failures:
            raise self.failures[0]


class Web(Client):
    """A client that knows every framing of an answer."""

    def __init__(self, baton, name="px", timeout=PATIENCE):
        super().__init__(baton, name, timeout)
        self.lines = []

    def ask(self, path="/", method="GET", body=None, headers="", close=False):
        self.request(path, close, method, body, headers)
        return self.whole(method == "HEAD")

    def head(self):
        """The status; the headers are kept."""
        text = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.first = text[0]
        self.lines = [line.split(": ", 1) for line in text[1:] if line]
        self.headers = {name.lower(): value for name, value in self.lines}
        return int(self.first.split()[1])

    def chunk(self):
        return read_chunk(self)

    def whole(self, head_only=False):
        """(status, body); heads before the answer are skipped"""
        status = self.head()
        while status < 200 and status != 101:
            status = self.head()
        if head_only or status in (101, 204, 304):
            return status, b""
        body = b""
        if self.headers.get("transfer-encoding") == "chunked":
            while part := self.chunk():
                body += part
        elif "content-length" in self.headers:
            body = self.exactly(int(self.headers["content-length"]))
        else:
            while self.fill():
                pass
            body, self.buffer = self.buffer, b""
        return status, body

    def ended(self):
        """Read to the end; 'closed' or 'reset'."""
        try:
            while self.fill():
                pass
            return "closed"
        except ConnectionResetError:
            return "reset"


class Echoes:
    """A process that says 101, and then what it hears."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(512)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.process = multiprocessing.get_context("fork").Process(target=self.run, daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *unused):
        self.hang_up()
        self.listener.close()

    def hang_up(self):
        self.process.kill()
        self.process.join()

    def run(self):
        s = selectors.DefaultSelector()
        s.register(self.listener, selectors.EVENT_READ, None)
        while True:
            for key, events in s.select():
                if key.data is None:
                    c, _ = self.listener.accept()
                    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    c.setblocking(False)
                    s.register(c, selectors.EVENT_READ, {"head": b"", "out": b""})
                else:
                    self.serve(s, key.fileobj, key.data, events)

    @staticmethod
    def serve(s, c, state, events):
        try:
            if events & selectors.EVENT_READ:
                data = c.recv(1 << 16)
                if not data:
                    s.unregister(c)
                    c.close()
                    return
                if state["head"] is not None:
                    state["head"] += data
                    data = b""
                    if is_head(state["head"]):
                        _, data = state["head"].split(b"\r\n\r\n", 1)
                        state["head"], data = None, SWITCH + data
                state["out"] += data
            if state["out"]:
                state["out"] = state["out"][c.send(state["out"]):]
        except BlockingIOError:
            pass
        except OSError:
            s.unregister(c)
            c.close()
            return
        s.modify(c, selectors.EVENT_WRITE if state["out"] else selectors.EVENT_READ, state)
