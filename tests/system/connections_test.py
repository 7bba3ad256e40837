"""Clients that cost a server something and give it nothing: ten thousand idle connections,
half-sent requests, a reader of the event stream that does not read. Everybody else is served."""
import os
import resource
import socket
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from saffron_process import SANITIZED, Server, wait_for  # noqa: E402

ORDER = {"id": "Order", "properties": [
    {"name": "order_id", "type": "string", "required": True, "primary_key": True},
    {"name": "note", "type": "string"}]}
IDLE = 10_000
MOST_KIB_EACH = 16  # of the server's memory
STREAMED_MIB = 12   # more than the kernel and the server together keep for a stream


class ConnectionsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-connections-")
        self.addCleanup(self.folder.cleanup)
        self.server = Server(os.path.join(self.folder.name, "data"))
        self.addCleanup(self.end_server)
        self.sockets = []
        self.addCleanup(lambda: [one.close() for one in self.sockets])

    def end_server(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()

    def connect(self, text=b"", receive_bytes=None):
        client = socket.socket()
        self.sockets.append(client)
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.settimeout(30)
        client.connect(("127.0.0.1", self.server.port))
        client.sendall(text)
        return client

    def make_orders(self):
        for path, body in (("/database/create", {"name": "shop"}),
                           ("/database/shop/ontology", ORDER)):
            status, answer, _ = self.server.ask("POST", f"/api/v1{path}?wait=20", body)
            self.assertEqual(status, 200, answer)

    def create(self, order, **more):
        return self.server.ask("POST", "/api/v1/instances/shop/async/Order/create?wait=20",
                               {"data": {"order_id": order, **more}})[0]

    def slowest_answer(self, requests=50):
        slowest = 0.0
        for i in range(requests):
            begin = time.monotonic()
            self.assertEqual(self.server.ask("GET", "/api/v1/database/list")[0], 200)
            slowest = max(slowest, time.monotonic() - begin)
        return slowest

    def test_ten_thousand_idle_connections(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most < IDLE + 200:
            self.skipTest(f"only {most} files may be open here; fewer connections: "
                          "HttpLimits.HoldsThousandsOfIdleConnections")
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.server.start()
        self.make_orders()
        before = self.server.rss_mib()
        # Half of them have never sent a byte, half have begun a request.
        for i in range(IDLE):
            self.connect(b"" if i % 2 else b"GET /health/live HTT")
        slowest = self.slowest_answer()
        self.assertLess(slowest, 2)
        self.assertEqual(self.create("O-1"), 200)
        grown = self.server.rss_mib() - before
        self.assertLess(grown * 1024 / IDLE, MOST_KIB_EACH)
        print(f"{IDLE} idle connections: slowest answer {slowest * 1000:.0f} ms, "
              f"{grown * 1024 / IDLE:.1f} KiB each")
        # One of them goes on where it was, as if nothing had been.
        self.sockets[-2].sendall(b"P/1.1\r\nHost: x\r\n\r\n")
        answer = self.sockets[-2].recv(4096)
        self.assertTrue(answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 408")), answer)
        code, seconds = self.server.stop()
        self.assertEqual(code, 0, self.server.tail())
        self.assertLess(seconds, 10)

    def test_half_sent_requests(self):
        self.server.start()
        self.make_orders()
        head = (b"POST /api/v1/instances/shop/async/Order/create HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/json\r\nContent-Length: 29\r\n\r\n")
        body = b'{"data":{"order_id":"half"}}\n'
        self.assertEqual(len(body), 29)
        abandoned = self.connect(head + body[:20])
        abandoned.close()
        waiting = self.connect(head + body[:20])
        never = self.connect(b"GET /health/live HTTP/1.1\r\nHo")
        self.assertEqual(self.create("O-1"), 200)
        # Of half a command nothing is there.
        events = str(self.server.ask("GET", "/api/v1/events?limit=1000")[1])
        self.assertNotIn("half", events)
        # The other half makes it whole; a head that is never finished is refused in time.
        waiting.sendall(body[20:])
        self.assertTrue(waiting.recv(4096).startswith(b"HTTP/1.1 202"))
        self.assertTrue(never.recv(4096).startswith(b"HTTP/1.1 408"))
        self.assertEqual(never.recv(4096), b"", "and closed")

    def test_a_reader_of_the_stream_that_does_not_read(self):
        self.server.start()
        self.make_orders()
        request = b"GET /api/v1/events/stream?from=0-0-0 HTTP/1.1\r\nHost: x\r\n\r\n"
        self.connect(request, receive_bytes=4096)  # and nothing is ever read from it
        good = self.connect(request)
        before = self.server.rss_mib()
        got, number = bytearray(), 0
        while len(got) < STREAMED_MIB << 20:
            notes = [{"order_id": f"S-{number}-{i}", "note": "n" * 20_000} for i in range(40)]
            status, answer, _ = self.server.ask(
                "POST", "/api/v1/instances/shop/async/Order/bulk-create", {"instances": notes})
            self.assertEqual(status, 202, answer)
            number += 1
            wanted = f"S-{number - 1}-39".encode()
            while wanted not in got[-2_000_000:]:
                got += good.recv(1 << 20)
        if not SANITIZED:  # whose own memory counts
            self.assertLess(self.server.rss_mib() - before, 150)
        self.assertEqual(self.create("O-1"), 200)
        print(f"{len(got) >> 20} MiB to the reader that reads, {number} bulks")
        # Nor does it hold up the end. That it is let go before (after 20 s without taking a byte):
        # EventStreamsTest.ASlowReaderIsDropped, HttpLimits.APeerThatDoesNotReadIsDropped.
        code, seconds = self.server.stop()
        self.assertEqual(code, 0, self.server.tail())
        self.assertLess(seconds, 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
