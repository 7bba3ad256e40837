"""A whole data set through a real server: acceptance_test.py logistics|threepl [stack]

Every row becomes one instance that is COMPLETED; counts and multi-hop graph queries are what
Python's sqlite3 says of the same CSV files; loading again appends nothing; registry, graph and
search, rebuilt from the log alone, are what they were. `threepl` is a foreign data set in
../shared/data/3pl beside the checkout (or where SAFFRON_THREEPL_DIR says); without it the test ends
with 77, a visible skip. `logistics` is generated. `stack`: through six processes on real engines,
and equal to what one process makes of it.
"""
import csv
import hashlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, str(ROOT / "tools"))
from saffron_process import PROGRAM, Server, passed_on, run_tests  # noqa: E402
from stack_services import environment_of, six_services, stack_script, stop_all  # noqa: E402

SKIPPED = 77
THREEPL = pathlib.Path(os.environ.get("SAFFRON_THREEPL_DIR", ROOT.parent / "shared/data/3pl"))
PAGE = 200  # start nodes of a graph query

# (class, name of its file without .csv)
THREEPL_FILES = {
    "Client": "clients", "Supplier": "suppliers", "Warehouse": "warehouses",
    "Location": "locations", "Product": "products", "SKU": "skus", "Inbound": "inbounds",
    "Receipt": "receipts", "Order": "orders", "OrderItem": "order_items", "Tracking": "tracking",
    "Return": "returns", "Exception": "exceptions", "InventorySnapshot": "inventory_snapshots",
    "Event": "events"}
LOGISTICS_FILES = {name: name for name in (
    "Customer", "Product", "Sku", "Warehouse", "Order", "OrderItem", "Shipment", "Return")}

# Each: what it asks, start class, filter, hops, and the same as a join of the files: one row a
# path, one column a node.
THREEPL_QUERIES = [
    ("products of damaged returns", "Return", ("reason", "DAMAGED"),
     ["return_of:Order", "~item_of:OrderItem", "sku_of:SKU", "belongs_to:Product"],
     """SELECT 'Return/'||r.order_id, 'Order/'||o.order_id,
               'OrderItem/'||i.order_id||'.'||i.line_no, 'SKU/'||s.sku_id,
               'Product/'||p.product_id
        FROM returns r JOIN orders o USING (order_id) JOIN order_items i USING (order_id)
        JOIN skus s USING (sku_id) JOIN products p USING (product_id)
        WHERE r.reason = 'DAMAGED'"""),
    ("where the goods of food brands came in", "Client", ("vertical", "K-Food"),
     ["~owned_by:Product", "~belongs_to:SKU", "~for_sku:Inbound", "to_warehouse:Warehouse"],
     """SELECT 'Client/'||c.client_id, 'Product/'||p.product_id, 'SKU/'||s.sku_id,
               'Inbound/'||b.inbound_id, 'Warehouse/'||w.warehouse_id
        FROM clients c JOIN products p USING (client_id) JOIN skus s USING (product_id)
        JOIN inbounds b USING (sku_id) JOIN warehouses w USING (warehouse_id)
        WHERE c.vertical = 'K-Food'"""),
    ("suppliers behind orders with grave exceptions", "Exception", ("severity", "HIGH"),
     ["exception_of:Order", "~item_of:OrderItem", "sku_of:SKU", "supplied_by:Supplier"],
     """SELECT 'Exception/'||e.order_id||'.'||e.type, 'Order/'||o.order_id,
               'OrderItem/'||i.order_id||'.'||i.line_no, 'SKU/'||s.sku_id,
               'Supplier/'||v.supplier_id
        FROM exceptions e JOIN orders o USING (order_id) JOIN order_items i USING (order_id)
        JOIN skus s USING (sku_id) JOIN suppliers v USING (supplier_id)
        WHERE e.severity = 'HIGH'"""),
]
LOGISTICS_QUERIES = [
    ("products of damaged returns", "Return", ("reason", "damaged"),
     ["returned_items:OrderItem", "sku:Sku", "variant_of:Product"],
     """SELECT 'Return/'||r.movement_id, 'OrderItem/'||i.order_id||'.'||i.line,
               'Sku/'||s.sku_id, 'Product/'||p.product_id
        FROM "Return" r JOIN OrderItem i
          ON instr(';'||r.returned_items||';', ';'||i.order_id||'.'||i.line||';') > 0
        JOIN Sku s ON s.sku_id = i.sku JOIN Product p ON p.product_id = s.variant_of
        WHERE r.reason = 'damaged'"""),
    ("what customers in Korea ordered", "Customer", ("country", "KR"),
     ["~placed_by:Order", "~item_of:OrderItem", "sku:Sku"],
     """SELECT 'Customer/'||c.customer_id, 'Order/'||o.order_id,
               'OrderItem/'||i.order_id||'.'||i.line, 'Sku/'||s.sku_id
        FROM Customer c JOIN "Order" o ON o.placed_by = c.customer_id
        JOIN OrderItem i ON i.item_of = o.order_id JOIN Sku s ON s.sku_id = i.sku
        WHERE c.country = 'KR'"""),
    ("whom the warehouse in Incheon served", "Warehouse", ("city", "Incheon"),
     ["~warehouse:Shipment", "order:Order", "placed_by:Customer"],
     """SELECT 'Warehouse/'||w.warehouse_id, 'Shipment/'||m.movement_id, 'Order/'||o.order_id,
               'Customer/'||c.customer_id
        FROM Warehouse w JOIN Shipment m ON m.warehouse = w.warehouse_id
        JOIN "Order" o ON o.order_id = m."order" JOIN Customer c ON c.customer_id = o.placed_by
        WHERE w.city = 'Incheon'"""),
]


DATA = []  # the data set, as a function of a working directory


class DataSet:
    def __init__(self, folder, files, queries, source):
        self.folder, self.files, self.queries, self.source = folder, files, queries, source
        self.sql = sqlite3.connect(":memory:")
        self.counts = {class_id: self.read(stem) for class_id, stem in files.items()}

    def read(self, stem):
        """One file as a table of texts; returns its rows."""
        with open(self.folder / f"{stem}.csv", newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            names = [f'"{name}"' for name in next(rows)]
            self.sql.execute(f'CREATE TABLE "{stem}" ({", ".join(names)})')
            marks = ", ".join("?" * len(names))
            return self.sql.executemany(f'INSERT INTO "{stem}" VALUES ({marks})', rows).rowcount

    def joined(self, statement):
        return sorted(self.sql.execute(statement))


def logistics(work):
    folder = pathlib.Path(work) / "shop"
    size = os.environ.get("SAFFRON_ACCEPTANCE_ORDERS", "1500")
    subprocess.run([sys.executable, ROOT / "examples/logistics/generate.py", size, folder],
                   check=True, capture_output=True)
    source = ["--ontology", str(ROOT / "examples/logistics/ontology.json"), "--data", str(folder)]
    return DataSet(folder, LOGISTICS_FILES, LOGISTICS_QUERIES, source)


def threepl(_):
    source = ["--mapping", str(ROOT / "tests/threepl/mapping.json"), "--data", str(THREEPL)]
    return DataSet(THREEPL, THREEPL_FILES, THREEPL_QUERIES, source)


class Loaded(unittest.TestCase):
    """What is asked of a server that the data set is loaded into."""
    db = "acceptance"

    def setUp(self):
        self.work = tempfile.TemporaryDirectory(prefix="saffron-acceptance-")
        self.addCleanup(self.work.cleanup)
        self.data = DATA[0](self.work.name)
        self.server = self.embedded = Server(os.path.join(self.work.name, "data"))
        self.addCleanup(self.end)

    def end(self):
        if self.embedded.process and self.embedded.process.poll() is None:
            self.embedded.kill()

    def load(self):
        done = self.server.command("load", "--db", self.db, *self.data.source, "--wait", "--json",
                                   timeout=900)
        return json.loads(done.stdout)

    def head(self):
        return json.loads(self.server.command("status", "--json").stdout)["head_slot"]

    def get(self, path):
        status, answer, _ = self.server.ask("GET", "/api/v1" + path)
        self.assertEqual(status, 200, answer)
        return answer

    def paths(self, start, where, hops):
        """Every whole path of a graph query, page by page."""
        field, value = where
        body = {"start_class": start, "filters": [{"field": field, "op": "eq", "value": value}],
                "hops": [dict(zip(("predicate", "target_class"), hop.split(":"))) for hop in hops],
                "include_paths": True, "include_documents": False, "max_paths": 10000,
                "limit": PAGE, "offset": 0}
        found = []
        while True:
            status, answer, _ = self.server.ask("POST", f"/api/v1/graph-query/{self.db}", body)
            self.assertEqual(status, 200, answer)
            self.assertEqual(answer["warnings"], [], "the answer was cut")
            found += [tuple(path) for path in answer["paths"]]
            if not answer["page"]["more"]:
                return sorted(found)
            body["offset"] += PAGE

    def documents(self, class_id, without=None):
        """(documents of a class, digest over all of them as the search index has them)"""
        digest, count, cursor = hashlib.sha256(), 0, ""
        while True:
            page = self.get(f"/instance/{self.db}/class/{class_id}/instances"
                            f"?limit=1000{cursor}")["data"]
            for document in page["instances"]:
                document.pop(without, None)
                digest.update(json.dumps(document, sort_keys=True).encode())
            count += len(page["instances"])
            if not page["next_cursor"]:
                return count, digest.hexdigest()
            cursor = "&cursor=" + page["next_cursor"]

    def check_counts(self):
        for class_id, rows in self.data.counts.items():
            answer = self.get(f"/instance/{self.db}/class/{class_id}/count")
            self.assertEqual(answer["count"], rows, class_id)

    def check_queries(self):
        for what, start, where, hops, statement in self.data.queries:
            expected = self.data.joined(statement)
            self.assertGreater(len(expected), 0, what)
            self.assertEqual(self.paths(start, where, hops), expected, what)
            print(f"{len(expected)} paths of {len(hops)} hops as sqlite3 joins them: {what}")

    def verified(self):
        """What may not change unless the log does."""
        found = self.server.verify()
        self.assertTrue(found["clean"], found["differences"])
        for one in found["classes"]:
            class_id = one["name"].rsplit(":", 1)[-1]
            if class_id in self.data.counts:
                self.assertEqual(one["present"], self.data.counts[class_id], class_id)
        return {key: found[key] for key in ("digest", "classes", "log", "compared", "head_slot")}

    def everything(self, without=None):
        verified = self.verified()  # it waits until the search index is there too
        # How often the publisher wrote, and not what.
        for how_often in ("bus_records", "index_entries"):
            del verified["compared"][how_often]
        return verified, {class_id: self.documents(class_id, without)
                          for class_id in self.data.counts}

    def rebuild(self, target):
        done = self.server.command("rebuild", target, "--json")
        return json.loads(done.stdout)["digest"]

    def check_loading_again_appends_nothing(self):
        rows = sum(self.data.counts.values())
        head = self.head()
        again = self.load()
        self.assertEqual((again["accepted"], again["duplicates"], again["rejected"]), (0, rows, 0))
        self.assertEqual(again["completed"], rows)
        self.assertEqual(self.head(), head)  # not one slot more

    def load_every_row(self):
        rows = sum(self.data.counts.values())
        loaded = self.load()
        for name in ("rows", "accepted", "completed"):
            self.assertEqual(loaded[name], rows, loaded)
        self.assertEqual(loaded["rejected"], 0, loaded)
        accepted, completed = (rows / loaded[name] for name in ("load_seconds",
                                                                "completed_seconds"))
        print(f"{rows} rows read = accepted = COMPLETED: accepted {accepted:.0f}/s, "
              f"COMPLETED {completed:.0f}/s")


class AcceptanceTest(Loaded):
    def test_every_row_arrives_and_everything_follows_from_the_log(self):
        self.server.start()
        self.load_every_row()
        print(f"RSS {self.server.rss_mib():.0f} MiB")
        before = self.everything()
        self.check_counts()
        self.check_queries()
        self.check_loading_again_appends_nothing()

        graph, search = self.rebuild("graph"), self.rebuild("search")
        self.assertEqual(self.everything(), before)
        self.check_queries()

        self.assertEqual(self.server.stop()[0], 0, self.server.tail())
        self.rebuild_registry()
        begin = time.monotonic()
        self.server.start()
        print(f"restart to ready {time.monotonic() - begin:.2f} s")
        self.assertEqual(self.everything(), before)
        self.assertEqual((self.rebuild("graph"), self.rebuild("search")), (graph, search))
        self.check_loading_again_appends_nothing()
        self.assertEqual(self.server.stop()[0], 0, self.server.tail())

    def rebuild_registry(self):
        registry = pathlib.Path(self.server.data_dir) / "registry"
        self.assertTrue(registry.is_dir())
        done = subprocess.run([PROGRAM, "rebuild", "registry", "--data-dir", self.server.data_dir],
                              env=self.server.environment, capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        print(done.stdout.strip())


class AcceptanceStackTest(Loaded):
    """The same on real engines: six processes, loaded through one OMS, read through the other."""

    environment = None

    def start_six(self):
        services = six_services(self.environment, self.work.name)
        self.addCleanup(stop_all, services)
        for service in services:
            service.start()
        for service in services:
            service.wait_ready(180)
        self.server = Server(os.path.join(self.work.name, "no-data"))
        self.server.environment, self.server.port = self.environment, services[0].port
        return services

    def test_every_row_arrives_and_all_is_as_in_one_process(self):
        services = self.start_six()
        self.load_every_row()
        self.server.port = services[1].port
        on_engines = self.everything(without="updated_at")  # it was another moment
        self.check_counts()
        self.check_queries()
        self.check_loading_again_appends_nothing()
        processes = [word for service in services for word in ("--process", service.url)]
        done = self.server.command("check", "--json", *processes)
        self.assertEqual(json.loads(done.stdout)["failed"], 0, done.stdout)
        print(", ".join(f"{service.name} {service.memory_mib()} MiB" for service in services))

        self.server = self.embedded.start()
        self.load_every_row()
        embedded, documents = self.everything(without="updated_at")
        self.assertEqual(on_engines[0]["classes"], embedded["classes"])
        self.assertEqual(on_engines[1], documents)


if __name__ == "__main__":
    name, where = (sys.argv[1:] + ["", ""])[:2]
    del sys.argv[1:]
    if name not in ("logistics", "threepl") or where not in ("", "stack"):
        sys.exit(__doc__)
    if name == "threepl" and not THREEPL.is_dir():
        print(f"{THREEPL} is not there")
        sys.exit(SKIPPED)
    DATA.append({"logistics": logistics, "threepl": threepl}[name])
    del Loaded
    if where != "stack":
        del AcceptanceStackTest
        run_tests()
    del AcceptanceTest
    with tempfile.TemporaryDirectory(prefix="saffron-acceptance-") as home:
        os.chmod(home, 0o755)  # PostgreSQL runs as a user of its own
        os.environ["STACK_DIR"] = os.path.join(home, "servers")
        try:
            AcceptanceStackTest.environment = {**passed_on(),
                                               **environment_of(stack_script("up").stdout)}
            run_tests()
        except subprocess.CalledProcessError:
            sys.exit(1 if os.environ.get("SAFFRON_REQUIRE_SERVERS") else SKIPPED)
        finally:
            stack_script("down", check=False)
