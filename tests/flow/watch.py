"""Those who watch baton through its admin service, and believe nothing."""

import json

from baton import check, equal


def samples(text):
    """Of /metrics: {name with labels: value}."""
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def never_less(before, now):
    for name, value in before.items():
        if "_total" in name or "_count" in name or "_bucket" in name or "_sum" in name:
            check(now.get(name, 0) >= value, f"{name} went from {value} to {now.get(name)}")
    return now


class Stream:
    """A client of /events that believes nothing."""

    def __init__(self, client, last_id=None, version="1.1"):
        self.client = client
        self.raw, self.events, self.ended = b"", [], False
        head = f"GET /events HTTP/{version}\r\nHost: test\r\n"
        head += f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        self.client.send(head.encode() + b"\r\n")
        self.head = self.client.until(b"\r\n\r\n").decode()
        check(" 200 " in self.head.split("\r\n")[0], self.head)
        self.chunked = "transfer-encoding: chunked" in self.head.lower()
        self.raw, self.client.buffer = self.client.buffer, b""
        self.body, self.finished = b"", False

    def take(self):
        """Whatever has come."""
        self.client.sock.setblocking(False)
        try:
            while not self.ended:
                data = self.client.sock.recv(1 << 20)
                self.ended = not data
                self.raw += data
        except BlockingIOError:
            pass
        self.unchunk()
        while b"\n\n" in self.body:
            text, self.body = self.body.split(b"\n\n", 1)
            self.add(text.decode())
        return self.events

    def unchunk(self):
        if not self.chunked:
            self.body, self.raw = self.body + self.raw, b""
        while self.chunked and b"\r\n" in self.raw:
            size, rest = self.raw.split(b"\r\n", 1)
            n = int(size, 16)
            if len(rest) < n + 2:
                return
            equal(rest[n:n + 2], b"\r\n", "the end of a chunk")
            self.body += rest[:n]
            self.finished = n == 0
            self.raw = rest[n + 2:]

    def add(self, text):
        fields = dict(line.split(": ", 1) for line in text.split("\n"))
        n, seq = map(int, fields["id"].split("."))
        if self.events:
            equal(n, self.events[-1][0] + 1, f"the number of an event after {self.events[-1][:3]}")
        self.events.append((n, seq, fields["event"], json.loads(fields["data"])))

    def has(self, fact):
        return any(fact(e) for e in self.take())

    def changes(self):
        return [(e[3]["seq"], e[3]["what"], e[3]["outcome"]) for e in self.take() if e[2] == "change"]
