"""One cell of the matrix: load, the faults, their end, the recovery, and the judgement."""
import json
import subprocess
import time

from bus import BusReader
from deployment import wait_until
from faults import Alone
from judge import TOPICS, History
from load import DATABASE, ITEM, Caller, Load
from stack_services import PROGRAM

WARM_UP = 20           # commands before the faults
TOLD_SECONDS = 60      # a fault lasts until it was told, at most so much longer
RECOVERY_SECONDS = 240
SETTLE_SECONDS = 240   # what the log has must be in every store by then


class CellResult:
    def __init__(self, name):
        self.name, self.problems = name, []
        self.commit = self.load_average = ""  # of the run
        self.sent = self.acknowledged = self.refused = self.repeated = 0
        self.lost = self.doubled = self.reordered = 0
        self.told, self.fault_seconds, self.recovery_seconds = "", 0.0, None

    def passed(self):
        return not self.problems

    def line(self):
        recovered = "never" if self.recovery_seconds is None else f"{self.recovery_seconds:.1f}"
        return (f"{self.name}: {self.sent} sent, {self.acknowledged} acknowledged, "
                f"{self.refused} refused, {self.repeated} repeated; lost {self.lost}, doubled "
                f"{self.doubled}, reordered {self.reordered}; told {self.told or '-'}; "
                f"{self.fault_seconds:.0f} s of it, recovered after {recovered} s")


class Tellers:
    """Who of those that must has told of the faults by its readiness."""

    def __init__(self, faults):
        self.missing = {(service, part) for fault in faults
                        for service, part in fault.tellers.items()}
        self.wanted = len(self.missing)
        self.seconds = None

    def look(self, health, seconds):
        self.missing = {(service, part) for service, part in self.missing
                        if health.get(service, {}) is not None and
                        (part is None or part not in health[service])}
        if self.seconds is None and not self.missing:
            self.seconds = seconds

    def words(self):
        if not self.wanted:
            return ""
        return "no" if self.missing else f"{self.seconds:.1f} s"


class Stage:
    """Runs cells on one deployment; remembers its whole history."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.history, self.next_position = History(), None
        self.bus = BusReader(deployment.engines["kafka"].folder / "data", TOPICS)
        self.caller = Caller(deployment.oms_ports())

    def open(self):
        """What the clients write into."""
        first = self.deployment.services["oms"]
        for path, body in (("/database/create", {"name": DATABASE}),
                           (f"/database/{DATABASE}/ontology", ITEM)):
            status, answer = first.ask("POST", f"/api/v1{path}?wait=30", body)
            if status != 200:
                raise RuntimeError(f"{path}: {status} {answer}")
        return self

    def ask(self, index, method, path, body=None):
        """At one OMS or the other; once more where a kept connection had been closed."""
        port = self.deployment.oms_ports()[index % 2]
        try:
            return self.caller.ask(port, method, path, body)
        except OSError:
            return self.caller.ask(port, method, path, body)

    def run(self, name, faults, seconds):
        """The faults at the same time, for `seconds` at least and until readiness has told."""
        result = CellResult(name)
        load = Load(name.replace(" ", "-").replace("+", "-"), self.deployment.oms_ports())
        for fault in faults:
            fault.prepare(self.deployment)
        load.start()
        if not wait_until(lambda: load.accepted() >= WARM_UP, 60):
            result.problems.append("no load before the fault")
        ended = self.break_things(faults, seconds, load, result)
        if wait_until(lambda: self.recovered(load, ended), RECOVERY_SECONDS, 0.2):
            result.recovery_seconds = time.monotonic() - ended
        else:
            result.problems.append(f"not recovered: {self.deployment.health()}\n"
                                   f"{self.deployment.logs()}")
        load.stop()
        if not wait_until(load.ended, 60):
            result.problems.append("a client got no answer")
        for fault in faults:
            fault.clean_up(self.deployment)
        self.judge(load, result)
        result.problems += load.surprises() + self.deployment.problems
        self.deployment.problems.clear()
        return result

    def break_things(self, faults, seconds, load, result):
        """When it ended."""
        tellers = Tellers(faults)
        lasts = max([seconds, *(fault.seconds for fault in faults)])
        begin = time.monotonic()
        for fault in faults:
            fault.begin(self.deployment)
        while True:
            passed = time.monotonic() - begin
            tellers.look(self.deployment.health(), passed)
            if passed >= lasts and (not tellers.missing or passed >= lasts + TOLD_SECONDS):
                break
            for fault in faults:
                fault.tick(self.deployment)
            time.sleep(0.2)
        for fault in faults:
            # Many, so that some are of each partition.
            if isinstance(fault, Alone) and not all(self.serves(1, 1) for _ in range(30)):
                result.problems.append("the others did not do its work meanwhile: "
                                       f"{self.deployment.health()}\n{self.deployment.logs()}")
        for fault in reversed(faults):
            fault.end(self.deployment)
        ended = time.monotonic()
        load.go_on()
        result.fault_seconds, result.told = ended - begin, tellers.words()
        if tellers.missing:
            result.problems.append("readiness did not tell of it: "
                                   f"{sorted(tellers.missing, key=str)}")
        return ended

    def recovered(self, load, ended):
        """All are ready, every client was heard, and what is written is read in both stores."""
        if not self.deployment.all_ready() or not load.all_accepted_after(ended):
            return bool(load.surprises())  # nothing to wait for
        return self.serves(0, 1)

    def serves(self, writes, reads):
        """What is written at one OMS is decided, and read at the other in both stores."""
        try:
            item = f"probe-{time.monotonic_ns()}"
            status, answer = self.ask(writes, "POST",
                                      f"/instances/{DATABASE}/async/Item/create?wait=10",
                                      {"data": {"item_id": item}})
            if status != 200 or answer["status"] != "COMPLETED":
                return False
            wait = f"min_position={answer['position']}&wait=10"
            graph = self.ask(reads, "GET",
                             f"/instance/{DATABASE}/instance/{item}?class=Item&{wait}")
            search = self.ask(reads, "POST", f"/query/{DATABASE}?{wait}",
                              {"class": "Item", "limit": 1})
            return graph[0] == 200 and search[0] == 200
        except OSError:
            return False

    def read_log(self):
        while True:
            start = f"&from={self.next_position}" if self.next_position else ""
            status, answer = self.ask(0, "GET", f"/events?limit=1000{start}")
            if status != 200:
                raise OSError(f"the log cannot be read: {status} {answer}")
            for entry in answer["data"]["events"]:
                self.history.add(entry["event"])
            at, self.next_position = self.next_position, answer["data"]["next"]
            if self.next_position == at:
                return

    def settled(self):
        """Every command has an outcome, and all of the log is on the bus."""
        try:
            self.read_log()
        except OSError:
            return False
        self.bus.read(self.history.add_record)
        return not self.history.undecided() and not self.history.not_on_bus()

    def judge(self, load, result):
        commands = load.commands()
        result.sent = len(commands)
        result.acknowledged = sum(command.number is not None for command in commands)
        result.refused = sum(command.refused is not None for command in commands)
        result.repeated = sum(command.tries > 1 for command in commands)
        if not wait_until(self.settled, SETTLE_SECONDS, 0.3):
            result.problems.append(f"{len(self.history.undecided())} commands undecided, "
                                   f"{len(self.history.not_on_bus())} events not on the bus")
        verdict = self.history.judge(commands)
        result.lost, result.doubled = len(verdict.lost), len(verdict.doubled)
        result.reordered = len(verdict.reordered)
        result.problems += verdict.all()[:20]
        self.check_stores(load, result)

    def check_stores(self, load, result):
        found = []
        if not wait_until(lambda: self.verify(found), SETTLE_SECONDS, 1):
            result.problems.append(f"verify: {found[-1:]}")
        try:
            result.problems += self.wrong_states(load) + self.wrong_statuses(load.commands())
        except OSError as error:
            result.problems.append(f"the stores cannot be read: {error}")

    def verify(self, found):
        done = subprocess.run([PROGRAM, "verify", "--json", "--server",
                               self.deployment.services["oms"].url],
                              env=self.deployment.environment, capture_output=True, text=True,
                              timeout=300)
        found.append(done.stdout[:3000] or done.stderr[:3000])
        return done.returncode == 0 and json.loads(done.stdout)["clean"]

    def wrong_states(self, load):
        """The last state of each thing, as its only writer knows it, in graph and search."""
        wrong = []
        status, page = self.ask(1, "POST", f"/query/{DATABASE}", {
            "class": "Item", "limit": 1000,
            "filters": [{"field": "item_id", "op": "prefix", "value": load.cell + "-"}]})
        if status != 200:
            return [f"search: {status} {page}"]
        searched = {one["instance_id"]: one for one in page["data"]["results"]}
        for index, (item, (number, document)) in enumerate(sorted(load.last_states().items())):
            status, answer = self.ask(index, "GET",
                                      f"/instance/{DATABASE}/instance/{item}?class=Item")
            node = answer["data"] if status == 200 else None
            for store, one in (("graph", node), ("search", searched.get(item))):
                has = one and (one["sequence_number"], one["document"])
                if has != ((number, document) if document else None):
                    wrong.append(f"{store}: {item} is {has}, not {(number, document)}")
        return wrong

    def wrong_statuses(self, commands):
        wrong = []
        for index, command in enumerate(commands):
            if command.number is None:
                continue
            status, answer = self.ask(index, "GET", f"/commands/{command.key}/status")
            if status != 200 or answer["status"] not in ("COMPLETED", "FAILED"):
                wrong.append(f"{command}: its status is {status} {answer}")
        return wrong
