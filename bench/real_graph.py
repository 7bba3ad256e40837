"""The row of the graph: its writer beside a bare batch upsert of the documents that it wrote, on
the TerminusDB server that TERMINUS_SERVER_URL names."""
import base64
import http.client
import json
import os
import time
import urllib.parse

from real_stack import ALL, Watch
from rows import say
from real_rows import fill, median, rate_of, ratio_row

NAME = "graph into a real TerminusDB, of a bare batch upsert"
BATCH = 2_000  # documents of a bare batch; the writer commits about as many
PAGE = 10_000
# As src/adapters/terminusdb/terminus_documents.cc has it.
SCHEMA = [
    {"@type": "@context", "@base": "terminusdb:///data/", "@schema": "terminusdb:///schema#"},
    {"@id": "Fence", "@type": "Class", "state": "xsd:string"},
    {"@id": "Node", "@type": "Class", "kind": "xsd:string", "version": "xsd:integer",
     **{name: {"@type": "Optional", "@class": "xsd:string"}
        for name in ("group", "live", "facts", "document")},
     "links": {"@type": "Set", "@class": "Node"}}]
WRITE = "author=bench&message=bench"


class Terminus:
    """The server, over one connection that is made anew when the server has closed it."""

    def __init__(self, environment):
        self.url = urllib.parse.urlsplit(environment["TERMINUS_SERVER_URL"])
        self.account = environment.get("TERMINUS_ACCOUNT", "admin")
        secret = f"{environment.get('TERMINUS_USER', 'admin')}:{environment['TERMINUS_KEY']}"
        self.headers = {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode(),
                        "Content-Type": "application/json"}

    def ask(self, method, kind, database, query="", body=None):
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        connection = kinds[self.url.scheme](self.url.netloc, timeout=600)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, f"/api/{kind}/{self.account}/{database}?{query}", text,
                               self.headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status // 100 != 2:
            raise RuntimeError(f"TerminusDB: {method} {kind} {database}: {answer.status} "
                               f"{data[:300]}")
        return json.loads(data) if data.strip() else None

    def nodes(self, database):
        found = []
        while True:
            page = self.ask("GET", "document", database,
                            f"type=Node&as_list=true&skip={len(found)}&count={PAGE}")
            found += page
            if len(page) < PAGE:
                return found

    def bare_upsert(self, database, documents):
        """Documents a second, a transaction for each batch."""
        self.ask("POST", "db", database, body={"label": database, "comment": "", "schema": True})
        try:
            self.ask("POST", "document", database,
                     WRITE + "&graph_type=schema&full_replace=true", SCHEMA)
            begin = time.monotonic()
            for first in range(0, len(documents), BATCH):
                self.ask("PUT", "document", database, WRITE + "&create=true",
                         documents[first:first + BATCH])
            return len(documents) / (time.monotonic() - begin)
        finally:
            self.ask("DELETE", "db", database)


def graph(bench):
    """An empty graph is filled from the log, which holds `documents` instances decided."""
    if "TERMINUS_SERVER_URL" not in os.environ:
        bench.not_measured.append(
            (NAME, "TERMINUS_SERVER_URL names no server; the double is no evidence"))
        return
    bench.stack.only(*(name for name in ALL if name != "projection-worker"))
    fill(bench, max(0, bench.options.documents - bench.next_key))
    bench.settle()
    end = bench.stack.services["instance-worker"].counters()["saffron_graph_position_slot"]
    server, rounds = Terminus(bench.stack.servers), []
    for number in range(bench.options.rounds):
        bench.stack.only()
        service = bench.stack.only("instance-worker", SAFFRON_TERMINUS_DATABASE=f"bench{number}")[0]
        watch = Watch(bench.stack)
        rate, nodes = rate_of(service, "saffron_graph_nodes_total", bench.next_key,
                              bench.options.patience_s, "saffron_graph_position_slot", end)
        cpu = watch.take()
        bench.stack.only()
        written = server.nodes(f"bench{number}_g1")
        # Those that name no other come first, so that every batch finds what it refers to.
        written.sort(key=lambda each: len(each.get("links", ())))
        bare = server.bare_upsert(f"bench{number}_bare", written)
        for database in (f"bench{number}", f"bench{number}_g1"):
            server.ask("DELETE", "db", database)
        rounds.append({"bare_per_s": bare, "nodes_per_s": rate, "ratio": rate / bare,
                       "documents": len(written), "nodes": nodes, "cpu": cpu})
        say(f"bare upsert {bare:.0f}/s, graph {rate:.0f}/s")
    bench.rows.append(ratio_row(NAME, 0.8, rounds, {
        "nodes_per_s": median(rounds, "nodes_per_s"), "bare_per_s": median(rounds, "bare_per_s"),
        "documents": rounds[-1]["documents"], "cpu": rounds[-1]["cpu"]}))
