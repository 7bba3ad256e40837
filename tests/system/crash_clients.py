"""Clients that write through crashes, and the judge of what the log then holds.

Each client owns its items, so it knows every number that it must get: it creates, updates with the
number before (without waiting for any decision), deletes, creates again, and changes two items in
a transaction. A request without an answer is sent again with the same key until it has one. The
judge reads the slots themselves: what was acknowledged is there exactly once, and nothing else."""
import glob
import http.client
import json
import os
import random
import threading
import time
import uuid

ITEM = {"id": "Item", "properties": [
    {"name": "item_id", "type": "string", "required": True, "primary_key": True},
    {"name": "size", "type": "integer"}]}
AGAIN = {429, 503}
PATIENCE_S = 240


class Acknowledged:
    """A command and what its client was told."""

    def __init__(self, command_id, aggregate, number, position, mark):
        self.command_id, self.aggregate = command_id, aggregate
        self.number, self.position = number, position
        self.mark = mark  # what `Clients.mark` said when the answer was here


class Item:
    def __init__(self, name):
        self.name, self.number, self.size = name, 0, None  # size None: it is absent


class Client(threading.Thread):
    def __init__(self, clients, name, seed):
        super().__init__(daemon=True)
        self.clients, self.random = clients, random.Random(seed)
        self.items = [Item(f"{name}-{i}") for i in range(4)]
        self.acknowledged, self.failure, self.connection = [], None, None
        self.unanswered = 0  # requests that had to be sent again

    def run(self):
        try:
            while not self.clients.ended.is_set():
                self.step()
                time.sleep(self.clients.pause_s)
        except AssertionError as failure:
            self.failure = failure
        finally:
            self.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def once(self, method, path, body, key):
        """(status, answer), or None when none came."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.clients.port,
                                                             timeout=30)
            self.connection.request(method, "/api/v1" + path, json.dumps(body) if body else None,
                                    {"Idempotency-Key": key, "Content-Type": "application/json"})
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return None

    def send(self, method, path, body=None):
        """The answer; the same request with the same key until there is one."""
        key = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answered = self.once(method, path, body, key)
            if answered is not None and answered[0] not in AGAIN:
                status, answer = answered
                if status not in (200, 202):
                    raise AssertionError(f"{method} {path}: {status} {answer}")
                return answer
            self.unanswered += 1
            time.sleep(0.03)
        raise AssertionError(f"{method} {path}: no answer in {PATIENCE_S} s")

    def take(self, aggregate, answer, expected):
        number = answer["sequence_number"]
        if number != expected:
            raise AssertionError(f"{aggregate}: {expected} was to come, told {number}")
        self.acknowledged.append(Acknowledged(answer["command_id"], aggregate, number,
                                              answer["position"], self.clients.mark()))

    def step(self):
        item = self.random.choice(self.items)
        draw = self.random.random()
        if draw < 0.2:
            self.transaction()
        elif item.size is None:
            self.change(item, "POST", "create", 1)
        elif draw < 0.3:
            self.change(item, "DELETE", "delete", None)
        else:
            self.change(item, "PUT", "update", item.size + 1)

    def change(self, item, method, op, size):
        path = "/instances/shop/async/Item/" + (
            op if op == "create" else f"{item.name}/{op}?expected_seq={item.number}")
        data = {"update": {"size": size}, "create": {"item_id": item.name, "size": size}}.get(op)
        answer = self.send(method, path, {"data": data} if data else None)
        self.taken(item, answer, size)

    def taken(self, item, answer, size):
        self.take(f"shop:main:Item:{item.name}", answer, item.number + 1)
        item.number, item.size = item.number + 1, size

    def transaction(self):
        two = self.random.sample(self.items, 2)
        commands, sizes = [], []
        for item in two:
            sizes.append(1 if item.size is None else item.size + 1)
            command = {"op": "create" if item.size is None else "update", "class": "Item",
                       "id": item.name, "data": {"size": sizes[-1]}}
            if item.size is None:
                command["data"]["item_id"] = item.name
            else:
                command["expected_seq"] = item.number
            commands.append(command)
        answer = self.send("POST", "/transactions?db=shop", {"commands": commands})
        for item, size, told in zip(two, sizes, answer["result"]["items"]):
            self.taken(item, told, size)


class Clients:
    """Some clients of one server. `mark` is asked at each answer and kept with it."""

    def __init__(self, port, count, seed, pause_s=0.0, mark=lambda: 0):
        self.port, self.pause_s, self.mark = port, pause_s, mark
        self.ended = threading.Event()
        self.threads = [Client(self, f"c{i}", f"{seed}/{i}") for i in range(count)]

    def set_up(self):
        """The database and the class, by the first client, before the others start."""
        first = self.threads[0]
        first.take("shop", first.send("POST", "/database/create?wait=10", {"name": "shop"}), 1)
        first.take("shop:main:Item",
                   first.send("POST", "/database/shop/ontology?wait=10", ITEM), 1)

    def start(self):
        for thread in self.threads:
            thread.start()

    def check(self):
        for thread in self.threads:
            if thread.failure:
                raise thread.failure

    def end(self):
        """Until each has the answer to what it asked last."""
        self.ended.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)
        self.check()

    def answers(self):
        return sum(len(thread.acknowledged) for thread in self.threads)

    def acknowledged(self):
        return [one for thread in self.threads for one in thread.acknowledged]

    def items(self):
        return [item for thread in self.threads for item in thread.items]


def read_log(data_dir):
    """(position, envelope) of every event, from the slots in their order. A gap ends it."""
    paths = sorted(glob.glob(os.path.join(data_dir, "objects/events/000/*/*.jsonl")),
                   key=os.path.basename)
    events = []
    for slot, path in enumerate(paths, 1):
        assert int(os.path.basename(path)[:20]) == slot, f"slot {slot} is not there, {path} is"
        with open(path, "rb") as file:
            header, *lines = file.read().splitlines()
        assert json.loads(header)["count"] == len(lines), f"{path} is not whole"
        events += [(f"0-{slot}-{i}", json.loads(line)) for i, line in enumerate(lines)]
    return events


def judge(events, acknowledged, everything_answered=True):
    """Raises at what was lost, doubled or reordered."""
    commands, outcomes, numbers = {}, {}, {}
    for position, event in events:
        command, aggregate = event["metadata"]["command_id"], event["aggregate_id"]
        if event["metadata"]["kind"] == "command":
            assert command not in commands, f"{command} is doubled: {position}"
            commands[command] = (aggregate, event["sequence_number"], position)
            numbers.setdefault((event["aggregate_type"], aggregate), []).append(
                event["sequence_number"])
        else:
            assert command not in outcomes, f"{command} has a second outcome: {position}"
            assert command in commands, f"{position}: an outcome before its command"
            assert commands[command][1] == event["sequence_number"], f"{position}: another number"
            assert not event["event_type"].endswith("_REJECTED"), f"{position}: {event}"
            decided = outcomes.setdefault(command, position)
            assert decided == position
    for aggregate, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), f"{aggregate}: {found}"
    for one in acknowledged:
        assert one.command_id in commands, f"{one.command_id} of {one.aggregate} is lost"
        told = (one.aggregate, one.number, one.position)
        assert commands[one.command_id] == told, f"told {told}, is {commands[one.command_id]}"
    if everything_answered:
        assert len(commands) == len(acknowledged), "commands that nobody was told of"
    return {"commands": len(commands), "outcomes": len(outcomes)}
