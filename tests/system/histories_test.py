"""Histories of docs/histories.md in one real process: each is made to happen at the named steps of
`saffron_steps` and has its number in its name. broken_histories_test.py shows that each notices
when its rule is broken."""
import http.client
import os
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
from crash_clients import AGAIN, ITEM, read_log  # noqa: E402
from saffron_process import run_tests, wait_for  # noqa: E402
from scenarios_test import Scenario  # noqa: E402
from steps_test import SETTINGS  # noqa: E402

ITEMS = "/instances/shop/async/Item"
# A batch is held until it is beyond its reservation and the resolver has undone it.
HOLD_UNTIL_UNDONE = "lane.commit.before:1:hold,resolver.undo.after:1:pass"
DIE_DECIDING = "worker.append.before:1:kill"
SEVERAL_PROCESSES_MAY_DIE = {**SETTINGS, "INSTANCE_WORKER_MAX_RETRY_ATTEMPTS": "2"}
PAGE = {"id": "Page", "properties": [
    {"name": "page_id", "type": "string", "primary_key": True},
    {"name": "text", "type": "string"}, {"name": "note", "type": "string"}]}
PAGES = "/instances/shop/async/Page"


class Asked(threading.Thread):
    """A request under way."""

    def __init__(self, server, method, path, body=None, key=None):
        super().__init__(daemon=True)
        self.server, self.request = server, (method, "/api/v1" + path, body)
        self.headers = {"Idempotency-Key": key} if key else {}
        self.told = None
        self.start()

    def run(self):
        try:
            self.told = self.server.ask(*self.request, self.headers)[:2]
        except (OSError, http.client.HTTPException):
            pass  # the server is gone

    def answer(self):
        """(status, body)"""
        self.join()
        return self.told


class History(Scenario):
    def restart(self, orders="never:1:kill", ready=True):
        self.end()
        self.log_from = os.path.getsize(self.server.log)
        super().restart(orders, ready)

    def log_of_this_process(self):
        with open(self.server.log, "rb") as log:
            log.seek(self.log_from)
            return log.read().decode(errors="replace")

    def passed(self, step):
        return f"step {step}: " in self.log_of_this_process()

    def wait_until_passed(self, step):
        wait_for(step, lambda: self.passed(step), 60)

    def asked(self, method, path, body=None, key=None):
        return Asked(self.server, method, path, body, key)

    def tell(self, status, method, path, body=None, key=None):
        got, answer = self.asked(method, path, body, key).answer()
        self.assertEqual(got, status, answer)
        return answer

    def until_told(self, method, path, body, key):
        """The answer to the same request with the same key, until there is one."""
        def told():
            answer = self.asked(method, path, body, key).answer()
            return answer and answer[0] not in AGAIN and answer
        return wait_for("an answer", told, 60)

    def make_pages(self):
        self.ask("POST", "/database/shop/ontology?wait=20", PAGE)

    def create(self, name):
        return self.ask("POST", ITEMS + "/create?wait=20", {"data": {"item_id": name, "size": 1}})

    def shown(self, name, number, of_class="Item"):
        """The instance in the graph, at this number or later."""
        return self.ask("GET", f"/instance/shop/instance/{name}?class={of_class}"
                               f"&min_seq={number}&wait=20")["data"]

    def park(self, method, path, body=None):
        """Two processes die of this command, and then it is parked. Its answer."""
        told = []
        self.killed_at(DIE_DECIDING, lambda: told.append(self.client.send(method, path, body)),
                       again=[DIE_DECIDING])
        wait_for("it is parked", lambda: self.status(told[0], wait=0).get("parked"))
        return told[0]

    def status(self, answer, wait=20):
        return self.ask("GET", f"/commands/{answer['command_id']}/status?wait={wait}")

    def discard(self, name):
        self.server.command("dlq", "discard", "Instance", f"shop:main:Item:{name}", "--reason",
                            "a test")


class AppendHistories(History):
    def test_A01_a_resolver_dies_between_tombstone_and_undo(self):
        self.expect_once()
        self.restart("lane.commit.before:1:hold,resolver.tombstone.after:1:kill")
        writer = threading.Thread(target=self.client.step)
        writer.start()
        self.server.wait_until_it("kill")
        self.restart()
        writer.join()
        self.expect_once()

    def test_A02_a_duplicate_is_asked_while_its_batch_may_still_become_a_tombstone(self):
        self.server.settled()
        self.restart(HOLD_UNTIL_UNDONE)
        create = ("POST", ITEMS + "/create", {"data": {"item_id": "twice", "size": 1}}, "one key")
        first = self.asked(*create)
        self.wait_until_passed("lane.commit.before")
        again = self.asked(*create)
        self.wait_until_passed("resolver.undo.after")
        self.assertEqual(first.answer()[0], 503)
        told = [self.until_told(*create)]
        if again.answer()[0] not in AGAIN:
            told.append(again.answer())
        log = {event["event_id"]: position for position, event in read_log(self.server.data_dir)}
        for status, answer in told:
            self.assertEqual((status, answer["sequence_number"]), (202, 1))
            self.assertEqual(log.get(answer["command_id"]), answer["position"])
        self.server.settled()

    def test_A09_a_writer_commits_and_goes_idle(self):
        """With reservations that outlast the test, only the writer itself settles it."""
        self.server.settled()
        self.server.environment.update(SAFFRON_RESERVATION_SECONDS="100",
                                       SAFFRON_REQUEST_TIMEOUT_SECONDS="120")
        self.restart()
        self.assertEqual(self.create("alone")["status"], "COMPLETED")

    def test_A10_a_slot_number_is_not_taken_by_what_is_refused(self):
        self.create("there")
        for _ in range(3):
            self.tell(409, "POST", ITEMS + "/create", {"data": {"item_id": "there", "size": 1}})
        self.assertEqual(self.create("behind")["status"], "COMPLETED")
        read_log(self.server.data_dir)  # without a gap

    def test_A12_a_keyless_bulk_is_repeated_with_the_id_that_its_503_carried(self):
        """It is in the log, and every answer of the store was lost."""
        self.make_pages()
        silence = os.path.join(self.folder, "silence")
        self.server.environment.update(SAFFRON_STORE_FAULTS="silent-while:" + silence,
                                       SAFFRON_REQUEST_TIMEOUT_SECONDS="20")
        self.restart()
        pages = [{"text": str(i)} for i in range(50)]
        bulk = ("POST", PAGES + "/bulk-create", {"instances": pages})
        with open(silence, "w", encoding="utf-8"):
            unknown = self.tell(503, *bulk)
        self.assertEqual(unknown["outcome"], "unknown")
        os.remove(silence)
        status, answer = self.until_told(*bulk, unknown["command_id"])
        self.assertEqual((status, answer["result"]["accepted"]), (202, 50))
        self.server.settled()
        self.assertEqual(self.ask("GET", "/instance/shop/class/Page/count")["count"], 50)

    def test_A16_a_resolver_hangs_and_then_dies_with_what_it_has_taken(self):
        self.expect_once()
        self.restart("lane.commit.before:1:hold,resolver.tombstone.before:1:hold,never:1:kill")
        self.write(1)  # what was held goes on when the resolver hangs
        self.wait_until_passed("resolver.tombstone.before")
        self.write(20)
        self.restart()
        self.expect_once()

    def test_A21_a_409_because_of_the_own_batch_that_is_then_undone(self):
        """One lane, which waits for both."""
        self.server.settled()
        self.server.environment.update(SAFFRON_APPEND_LANES="1", SAFFRON_APPEND_LINGER_MS="1000")
        self.restart(HOLD_UNTIL_UNDONE)
        create = ("POST", ITEMS + "/create", {"data": {"item_id": "both", "size": 1}})
        both = [self.asked(*create) for _ in range(2)]
        self.assertEqual(sorted(one.answer()[0] for one in both), [202, 503])
        self.server.settled()


class ParkedHistories(History):
    settings = SEVERAL_PROCESSES_MAY_DIE

    def test_C05_a_registry_from_before_the_parking_and_offsets_from_behind_it(self):
        self.create("a")
        self.server.settled()
        self.stopped()
        older = self.copy_of("registry")
        self.restart()
        answer = self.park("PUT", ITEMS + "/a/update?expected_seq=1", {"data": {"size": 2}})
        wait_for("the worker's offset is behind it", self.all_commands_are_consumed)
        self.stopped()
        self.replace("registry", older)
        self.restart()
        wait_for("it is decided", lambda: self.status(answer)["status"] == "COMPLETED")
        self.server.settled()

    def test_C06_an_aggregate_with_a_command_in_flight_is_not_freed(self):
        self.create("a")
        self.park("PUT", ITEMS + "/a/update?expected_seq=1", {"data": {"size": 2}})
        self.server.environment["SAFFRON_RESERVATION_SECONDS"] = "2"
        self.restart(HOLD_UNTIL_UNDONE)
        update = ("PUT", ITEMS + "/a/update?expected_seq=2", {"data": {"size": 3}}, "the third")
        self.asked(*update)
        self.wait_until_passed("lane.commit.before")
        self.server.command("dlq", "replay", "Instance", "shop:main:Item:a")
        self.assertTrue(self.passed("resolver.undo.after"), "freed with #3 in flight")
        self.assertEqual(self.until_told(*update)[1]["sequence_number"], 3)
        self.server.settled()

    def test_C07_a_rejected_deletion_does_not_leave_the_registry_saying_deleted(self):
        for name in ("b", "a"):
            self.create(name)
            deletion = self.park("DELETE", ITEMS + f"/{name}/delete?expected_seq=1")
            if name == "a":
                again = self.tell(202, "POST", ITEMS + "/create",
                                  {"data": {"item_id": "a", "size": 7}})
                self.assertEqual(again["sequence_number"], 3)
            self.discard(name)
            self.assertEqual(self.status(deletion)["status"], "FAILED")
        refused = self.status(again)
        self.assertEqual((refused["status"], refused["result"]["reason"]),
                         ("FAILED", "already_exists"))
        for name, number in (("b", 2), ("a", 3)):
            shown = self.shown(name, number)
            self.assertEqual((shown["sequence_number"], shown["document"]["size"]), (number, 1))
            self.tell(409, "POST", ITEMS + "/create", {"data": {"item_id": name, "size": 7}})
            self.tell(202, "PUT", ITEMS + f"/{name}/update?expected_seq={number}",
                      {"data": {"size": 8}})
        self.server.settled()

    def test_C21_of_hundreds_that_died_together_only_what_was_alone_is_charged(self):
        commands = [{"op": "create", "class": "Item", "id": f"t{i}",
                     "data": {"item_id": f"t{i}", "size": 1}} for i in range(50)]
        told = []
        self.killed_at(DIE_DECIDING, lambda: told.append(self.client.send(
            "POST", "/transactions?db=shop", {"commands": commands})), again=[DIE_DECIDING])

        def ended():
            found = [self.status(item, wait=0) for item in told[0]["result"]["items"]]
            done = all(one["status"] == "COMPLETED" or one.get("parked") for one in found)
            return done and sum(one.get("parked", False) for one in found)
        self.assertEqual(wait_for("all but the suspect are decided", ended, 60), 1)

    def test_C26_a_parked_command_holds_up_no_read(self):
        self.create("a")
        self.park("PUT", ITEMS + "/a/update?expected_seq=1", {"data": {"size": 2}})
        position = self.create("b")["position"]
        found = self.ask("POST", f"/graph-query/shop?min_position={position}&wait=20",
                         {"start_class": "Item"})
        self.assertIn("parked: Instance shop:main:Item:a at 2", found["warnings"])
        self.assertIn("b", [node["instance_id"] for node in found["nodes"]])


class RejectedHistories(History):
    settings = {**SETTINGS, "SAFFRON_MAX_EVENT_BYTES": "4096"}

    def test_C08_a_rejection_reaches_the_sinks_so_that_the_client_can_go_on(self):
        self.make_pages()
        position = self.ask("POST", PAGES + "/create?wait=20",
                            {"data": {"page_id": "p", "text": "t" * 2500}})["position"]
        rejected = self.ask("PUT", PAGES + "/p/update?expected_seq=1&wait=20",
                            {"data": {"note": "n" * 1500}})
        self.assertEqual(rejected["status"], "FAILED")
        position = rejected["position"]
        found = self.ask("POST", f"/query/shop?min_position={position}&wait=20", {"class": "Page"})
        self.assertEqual(found["data"]["results"][0]["sequence_number"], 2)
        shown = self.shown("p", 2, "Page")
        self.assertEqual(shown["document"], {"page_id": "p", "text": "t" * 2500})
        number = shown["sequence_number"]
        update = self.ask("PUT", PAGES + f"/p/update?expected_seq={number}&wait=20",
                          {"data": {"note": "short"}})
        self.assertEqual(update["status"], "COMPLETED")


class LargeHistories(History):
    def test_C24_a_small_patch_of_a_huge_document_makes_an_outcome_that_is_too_large(self):
        self.make_pages()
        text = "t" * 900_000
        created = self.ask("POST", PAGES + "/create?wait=20",
                           {"data": {"page_id": "p", "text": text}})
        self.assertEqual(created["status"], "COMPLETED")
        patched = self.ask("PUT", PAGES + "/p/update?expected_seq=1&wait=20",
                           {"data": {"note": "n" * 8_000}})
        self.assertEqual(patched["status"], "FAILED")
        self.assertEqual(patched["result"]["reason"], "too_large")
        self.assertEqual(self.shown("p", 2, "Page")["document"], {"page_id": "p", "text": text})
        shorter = self.ask("PUT", PAGES + "/p/update?expected_seq=2&wait=20",
                           {"data": {"text": "short"}})
        self.assertEqual(shorter["status"], "COMPLETED")
        self.server.settled()


class OntologyHistories(History):
    """With a worker that stands still before it decides anything."""

    def test_C11_a_class_change_that_waits_holds_up_its_own_instances_only(self):
        self.make_pages()
        self.server.settled()
        self.hold_worker()
        wider = {**ITEM, "properties": [*ITEM["properties"], {"name": "hue", "type": "string"}]}
        change = self.tell(202, "PUT", "/database/shop/ontology/Item?expected_seq=1", wider)
        self.wait_until_passed("worker.claim.before")
        page = self.ask("POST", PAGES + "/create?wait=20", {"data": {"page_id": "p"}})
        self.assertEqual(page["status"], "COMPLETED")
        create = ("POST", ITEMS + "/create", {"data": {"item_id": "a", "size": 1}}, "one key")
        detail = self.tell(503, *create)["detail"]
        self.assertEqual(detail["error"], "ontology_change_pending")
        self.assertEqual(detail["command_id"], change["data"]["command_id"])
        self.restart()
        self.assertEqual(self.until_told(*create)[0], 202)
        self.server.settled()

    def test_C12_two_classes_become_each_others_parent(self):
        def definition(name, parent=None):
            return {"id": name, "abstract": True, "properties": [
                {"name": "of_" + name, "type": "string"}],
                **({"parent_class": parent} if parent else {})}
        for name in ("A", "B"):
            self.ask("POST", "/database/shop/ontology?wait=20", definition(name))
        self.server.settled()
        self.hold_worker()
        self.tell(202, "PUT", "/database/shop/ontology/A?expected_seq=1", definition("A", "B"))
        self.wait_until_passed("worker.claim.before")
        other = ("PUT", "/database/shop/ontology/B?expected_seq=1", definition("B", "A"), "B, too")
        self.tell(503, *other)
        self.restart()
        self.assertEqual(self.until_told(*other)[0], 422)
        self.server.settled()

    def test_C13_a_class_is_deleted_under_instances_that_nobody_has_decided(self):
        self.make_pages()
        self.server.settled()
        self.hold_worker()
        bulk = self.tell(202, "POST", PAGES + "/bulk-create",
                         {"instances": [{"page_id": f"p{i}"} for i in range(500)]})
        self.assertEqual(bulk["result"]["accepted"], 500)
        self.assertEqual(self.ask("GET", "/instance/shop/class/Page/count")["count"], 0)
        detail = self.tell(409, "DELETE", "/database/shop/ontology/Page?expected_seq=1")["detail"]
        self.assertEqual((detail["error"], detail["count"]), ("class_in_use", 500))
        self.restart()
        self.server.settled()
        self.assertEqual(self.ask("GET", "/instance/shop/class/Page/count")["count"], 500)


class BusHistories(History):
    def test_C15_an_old_write_resurrects_nothing(self):
        """All that the bus brings comes once more, the creation behind the deletion."""
        self.create("gone")
        self.ask("DELETE", ITEMS + "/gone/delete?expected_seq=1&wait=20")
        self.server.settled()
        self.stopped()
        self.replace("bus.db")
        self.restart()
        self.create("new")
        self.server.settled()
        self.tell(404, "GET", "/instance/shop/instance/gone?class=Item")
        found = self.ask("POST", "/query/shop", {"class": "Item", "filters": [
            {"field": "item_id", "op": "in", "value": ["gone", "new"]}]})["data"]["results"]
        self.assertEqual([one["instance_id"] for one in found], ["new"])

    def test_C18_a_publisher_dies_in_the_middle_of_a_republish(self):
        self.write(40)
        self.expect_once()
        self.stopped()
        self.replace("bus.db")
        self.server.environment["EVENT_PUBLISHER_BATCH_SIZE"] = "1"
        self.restart("publisher.produce.after:2:kill", ready=False)
        self.server.wait_until_it("kill")
        self.restart()
        self.write(5)
        self.expect_once()


    def test_C19_unread_events_come_to_lie_below_the_offset_of_the_group(self):
        self.write(40)
        self.expect_once()
        self.stopped()
        older = self.copy_of("search")
        self.restart()
        self.write(15)
        self.expect_once()
        self.stopped()
        self.replace("search", older)
        bus = sqlite3.connect(self.part("bus.db"))
        of_events = "id >> 44 = (SELECT number FROM partitions WHERE topic = 'instance_events')"
        bus.execute(f"DELETE FROM records WHERE {of_events} AND id >"
                    f" (SELECT max(id) - 20 FROM records WHERE {of_events})")
        bus.commit()
        bus.close()
        self.restart()
        self.write(10)
        self.expect_once()


class LongLeases(History):
    """A claim is good for a quarter of an hour."""
    settings = {**SETTINGS, "PROCESSED_EVENT_LEASE_TIMEOUT_SECONDS": "900"}

    def test_C22_a_replacement_with_another_name_need_not_wait_for_the_lease(self):
        self.expect_once()
        self.restart("lane.ack.after:1:pass," + DIE_DECIDING)
        writer = threading.Thread(target=self.client.step)
        writer.start()
        self.server.wait_until_it("kill")
        self.server.environment["PROCESSED_EVENT_OWNER"] = "another"
        self.restart()
        writer.join()
        self.expect_once()


if __name__ == "__main__":
    run_tests()
