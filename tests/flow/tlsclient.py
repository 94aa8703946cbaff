"""tlsclient: clients of TLS for flow tests, whose bytes on the wire are ours to hold back, and the
certificates that they are shown, signed by themselves, in FILES."""
import atexit
import functools
import os
import shutil
import ssl
import subprocess
import tempfile

from baton import Client

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
SUITES = [(V13, None)] + [(V12, name) for name in (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    "DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305")]

FILES = tempfile.mkdtemp(prefix="baton-tls-")
atexit.register(shutil.rmtree, FILES, True)


def certificate(name, host, key):
    """NAME.pem and NAME.key, signed by itself."""
    subprocess.run(["openssl", "req", "-x509", *key, "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{host}", "-keyout", f"{FILES}/{name}.key",
                    "-out", f"{FILES}/{name}.pem"], check=True, capture_output=True, timeout=60)


EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
for who, where, how in (("ec", "example.test", EC), ("rsa", "example.test", ["-newkey", "rsa:2048"]),
                        ("wild", "*.example.test", EC), ("later", "example.test", EC),
                        ("client", "client.test", EC)):
    certificate(who, where, how)


@functools.cache
def context(version=V13, suite=None, certificate_of=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.maximum_version = c.minimum_version = version
    if suite is not None:
        c.set_ciphers(suite)
    c.keylog_filename = f"{FILES}/keylog"
    if certificate_of is not None:
        c.load_cert_chain(f"{FILES}/{certificate_of}.pem", f"{FILES}/{certificate_of}.key")
    return c


class Tls(Client):
    """A client whose TLS is OpenSSL's, and whose bytes on the wire are ours to hold back."""

    def __init__(self, b, name="tls", version=V13, suite=None, host="example.test", session=None,
                 certificate_of=None):
        super().__init__(b, name)
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(version, suite, certificate_of).wrap_bio(
            self.come, self.go, server_hostname=host, session=session)
        self.until_done(self.tls.do_handshake)

    def until_done(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                self.hear()
            finally:
                self.flush()

    def flush(self):
        data = self.go.read()
        if data:
            self.sock.sendall(data)

    def hear(self):
        data = self.sock.recv(65536)
        if data:
            self.come.write(data)
        else:
            self.come.write_eof()

    def seal(self, data):
        """The records of it, which nobody has sent yet."""
        self.tls.write(data)
        return self.go.read()

    def send(self, data):
        self.sock.sendall(self.seal(data))

    def fill(self):
        data = self.until_done(lambda: self.tls.read(65536))
        self.buffer += data
        return len(data)

    def ends_in_order(self):
        """The other side has said that it has said all."""
        try:
            return self.until_done(lambda: self.tls.read(1)) == b""
        except ssl.SSLZeroReturnError:
            return True
        except (ssl.SSLError, ConnectionError):
            return False
