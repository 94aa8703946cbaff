#!/usr/bin/env python3
"""tlsload HOST:PORT of an echo, HOST:PORT of http: clients of TLS that nothing may happen to.

Streams say blocks of random sizes and want them back, byte for byte; keep-alive clients ask;
idle ones ask once, and again at the end.  None dials twice.  TERM ends it; the report is a line of
JSON: connections lost, wrong bytes, and what was done.  Exit 0: nothing was lost.
"""
import json
import math
import random
import selectors
import signal
import socket
import ssl
import sys
import time

from tlsclient import SUITES, context

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SIZES = (1, 100, 3000, 16384, 40000)


class Peer:
    def __init__(self, load, address, n, kind):
        host, port = address.rsplit(":", 1)
        version, suite = SUITES[n % len(SUITES)]
        self.load, self.kind, self.rnd = load, kind, random.Random(n)
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(version, suite).wrap_bio(self.come, self.go, server_hostname="x")
        self.sock = socket.create_connection((host, int(port)), timeout=60)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.sock.sendall(self.go.read())
                self.come.write(self.sock.recv(65536))
        self.sock.sendall(self.go.read())
        self.sock.setblocking(False)
        self.out, self.want, self.due = b"", b"", time.monotonic() + self.rnd.random()
        load.selector.register(self.sock, selectors.EVENT_READ, self)

    def say(self):
        """The next block, or the next request."""
        self.due = None
        if self.kind == "echo":
            text = self.rnd.randbytes(self.rnd.choice(SIZES))
            self.want = text
        else:
            text, self.want = GET, None
        self.tls.write(text)
        self.out += self.go.read()
        self.push()

    def push(self):
        try:
            self.out = self.out[self.sock.send(self.out):]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.out else 0)
        self.load.selector.modify(self.sock, events, self)

    def hear(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the connection has ended")
        self.come.write(data)
        while True:
            try:
                text = self.tls.read(65536)
            except ssl.SSLWantReadError:
                break
            if not text:
                raise ConnectionError("it was closed in order")
            self.take(text)
        self.out += self.go.read()

    def take(self, text):
        if self.kind == "echo":
            if not self.want.startswith(text):
                self.load.wrong += 1
            self.want = self.want[len(text):]
            done = not self.want
        else:
            done = b"hello, world" in text
        self.load.bytes += len(text)
        if done:
            self.load.answered += 1
            pause = math.inf if self.kind == "idle" else self.rnd.random() * self.load.pause
            self.due = time.monotonic() + pause

    def ready(self, events):
        if events & selectors.EVENT_READ:
            self.hear()
        if self.out:
            self.push()


class Load:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.lost = self.wrong = self.answered = self.bytes = 0
        self.ends, self.pause, self.why = False, 0.5, []

    def each(self, peers, what):
        for peer in peers:
            try:
                what(peer)
            except (OSError, ssl.SSLError) as e:
                self.lost += 1
                self.why.append(f"{peer.kind}: {e!r}")
                self.selector.unregister(peer.sock)
                self.peers.remove(peer)

    def run(self, echo, web, streams, keeps, idles):
        self.peers = [Peer(self, echo, n, "echo") for n in range(streams)] + \
                     [Peer(self, web, n, "keep") for n in range(keeps)] + \
                     [Peer(self, web, n, "idle") for n in range(idles)]
        print("ready", flush=True)
        since = None
        while True:
            for key, events in self.selector.select(0.02):
                self.each([key.data], lambda p: p.ready(events))
            now = time.monotonic()
            if self.ends and since is None:
                since = now
                self.each([p for p in self.peers if p.due == math.inf], Peer.say)
            waits = [p for p in self.peers if p.due is None]
            if since is not None and (not waits or now > since + 60):
                self.lost += len(waits)
                return
            if since is None:
                self.each([p for p in self.peers if p.due and p.due <= now],
                          Peer.say)


def main():
    load = Load()

    def end(*unused):
        load.ends = True
    signal.signal(signal.SIGTERM, end)
    load.run(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
    print(json.dumps({"lost": load.lost, "wrong": load.wrong, "answered": load.answered,
                      "bytes": load.bytes, "why": load.why[:5]}))
    sys.exit(0 if load.lost == load.wrong == 0 else 1)


main()
