"""The row of the projection: an index filled from the log, beside a bare loader of the same."""
import http.client
import http.server
import json
import re
import threading
import time
import urllib.parse

from real_rows import fill, median, rate_of, ratio_row
from real_stack import ALL, Watch
from rows import say

BULK = 1_000  # documents of a bare bulk


class Recorder(http.server.ThreadingHTTPServer):
    """Between the projection and the engine: keeps the lines of every bulk that goes by."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "/_bulk" in self.path:
                with self.server.lock:
                    self.server.lines += body.decode().splitlines()
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            status, kind, answer = ask(self.server.url, self.command, self.path, body, headers)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = forward

        def log_message(self, *arguments):
            pass

    def __init__(self, url):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.url, self.lines, self.lock = url, [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


def ask(url, method, path, body=b"", headers=None):
    """(status, content type, body)."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=120)
    try:
        connection.request(method, path, body, headers or {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
    finally:
        connection.close()


def must(url, method, path, body=None):
    status, _, answer = ask(url, method, path, json.dumps(body).encode() if body else b"")
    if status // 100 != 2:
        raise RuntimeError(f"OpenSearch: {method} {path}: {status} {answer[:300]}")
    return json.loads(answer)


def bodies_of(lines):
    """Bulks of the documents that were recorded, without the projection's own bookkeeping."""
    documents = [f"{action}\n{source}\n" for action, source in zip(lines[::2], lines[1::2])]
    return [re.sub(r'"_index":"[^"]*",?', "", "".join(documents[first:first + BULK])).encode()
            for first in range(0, len(documents), BULK)], len(documents)


def bare_load(url, index, like, bodies, count):
    """Documents a second over one connection, into a new index like that of the projection."""
    mappings = must(url, "GET", f"/{like}/_mapping")[like]["mappings"]
    settings = must(url, "GET", f"/{like}/_settings")[like]["settings"]["index"]
    own = ("creation_date", "uuid", "version", "provided_name")
    must(url, "PUT", f"/{index}", {
        "mappings": mappings,
        "settings": {name: value for name, value in settings.items() if name not in own}})
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=120)
    begin = time.monotonic()
    for body in bodies:
        connection.request("POST", f"/{index}/_bulk?filter_path=errors", body,
                           {"Content-Type": "application/x-ndjson"})
        if json.loads(connection.getresponse().read()) != {"errors": False}:
            raise RuntimeError("the bare loader was refused")
    rate = count / (time.monotonic() - begin)
    connection.close()
    must(url, "DELETE", f"/{index}")
    return rate


def projection(bench):
    """A new index is filled from the log, which holds `documents` instances decided. The bare
    loader sends what the projection sent, recorded once on its way, in bulks of its own."""
    bench.stack.only(*(name for name in ALL if name != "projection-worker"))
    fill(bench, max(0, bench.options.documents - bench.next_key))
    bench.settle()
    end = bench.stack.services["instance-worker"].counters()["saffron_graph_position_slot"]
    url, rounds = bench.stack.servers["ELASTICSEARCH_URL"], []

    def run(prefix, address):
        bench.stack.only()
        service = bench.stack.only("projection-worker", SAFFRON_ELASTICSEARCH_PREFIX=prefix,
                                   ELASTICSEARCH_URL=address)[0]
        watch = Watch(bench.stack)
        # All written, and readable.
        rate, _ = rate_of(service, "saffron_projection_documents_total", bench.next_key,
                          bench.options.patience_s, "saffron_projection_watermark_slot", end)
        cpu = watch.take()
        bench.stack.only()
        return rate, cpu

    recorder = Recorder(url)
    run("recorded", recorder.address())
    bodies, count = bodies_of(recorder.lines)
    recorder.shutdown()
    like = next(name for name in must(url, "GET", "/recorded.*/_mapping") if ".bench" in name)
    bare_load(url, "bench-warm", like, bodies, count)
    for number in range(bench.options.rounds):
        must(url, "DELETE", "/bench*.g*")  # else their merges would go on beside the bare loader
        bare = bare_load(url, f"bench-bare-{number}", like, bodies, count)
        rate, cpu = run(f"bench{number}", url)
        rounds.append({"bare_per_s": bare, "documents_per_s": rate, "ratio": rate / bare,
                       "cpu": cpu})
        say(f"bare bulks {bare:.0f}/s, projection {rate:.0f}/s")
    bench.rows.append(ratio_row(
        "projection into OpenSearch, of a bare bulk loader", 0.7, rounds,
        {"documents_per_s": median(rounds, "documents_per_s"),
         "bare_per_s": median(rounds, "bare_per_s"), "documents": count,
         "cpu": rounds[-1]["cpu"]}))
