"""Clients under an outage: they create, update with the number they know, delete and make again,
and send a command again with its key, here or there, until they are told what became of it."""
import http.client
import json
import random
import threading
import time
import uuid

DATABASE = "outages"
ITEM = {"id": "Item", "properties": [
    {"name": "item_id", "type": "string", "required": True, "primary_key": True},
    {"name": "size", "type": "integer"}]}
OWN = 12     # things of a client
SHARED = 2   # things that all clients of a cell change
ANSWER_SECONDS = 15
MOST = 50    # commands of a client while the fault lasts: what piles up stays small
AFTER = 5    # and after it


class Command:
    """One request, over all its repetitions."""

    def __init__(self, item, what):
        self.key, self.item, self.what = str(uuid.uuid4()), item, what
        self.tries, self.number, self.refused = 0, None, None
        self.began = time.monotonic()

    def __str__(self):
        return f"{self.what} of {self.item} ({self.key}, {self.tries} tries, told {self.number})"


class Caller:
    """Keeps a connection to each OMS."""

    def __init__(self, ports):
        self.ports, self.connections = ports, {}

    def ask(self, port, method, path, body=None, key=None):
        """(status, answer); OSError when nobody can tell."""
        connection = self.connections.pop(port, None) or http.client.HTTPConnection(
            "127.0.0.1", port, timeout=ANSWER_SECONDS)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
        try:
            connection.request(method, "/api/v1" + path, body and json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
            decoded = json.loads(data) if data else None
        except (http.client.HTTPException, OSError, ValueError) as error:
            connection.close()
            raise OSError(f"{method} {path}: {error}") from error
        self.connections[port] = connection
        return answer.status, decoded

    def close(self):
        for connection in self.connections.values():
            connection.close()


class Client(threading.Thread):
    def __init__(self, cell, number, ports, pause):
        super().__init__(daemon=True)
        self.prefix, self.pause = f"{cell}-{number}", pause
        self.random = random.Random(self.prefix)
        self.ports = ports if number % 2 == 0 else ports[::-1]
        self.caller = Caller(ports)
        self.ended = threading.Event()
        self.sent = []
        self.most = MOST
        self.known = {}    # own item: (number, document or none)
        self.shared = {f"{cell}-all-{i}": 1 for i in range(SHARED)}
        self.surprise = None

    def send(self, item, what, method, path, body):
        """The command when it was accepted or refused; no answer is no end."""
        command = Command(item, what)
        self.sent.append(command)
        while True:
            port = self.ports[command.tries % len(self.ports)]
            command.tries += 1
            try:
                status, answer = self.caller.ask(port, method, path, body, command.key)
            except OSError:
                status, answer = 0, None
            if status in (200, 202):
                command.number = answer["sequence_number"]
                return command, answer
            if status not in (0, 429, 503):
                command.refused = status
                return command, answer
            time.sleep(0.05 + self.random.random() * 0.1)

    def write_own(self):
        item = f"{self.prefix}-{self.random.randrange(OWN)}"
        number, document = self.known.get(item, (0, None))
        size = self.random.randrange(1_000_000)
        path = f"/instances/{DATABASE}/async/Item"
        if document is None:
            wanted = {"item_id": item, "size": size}
            command, answer = self.send(item, "create", "POST", path + "/create", {"data": wanted})
        elif self.random.random() < 0.2:
            wanted = None
            command, answer = self.send(item, "delete", "DELETE",
                                        f"{path}/{item}/delete?expected_seq={number}", None)
        else:
            wanted = {**document, "size": size}
            command, answer = self.send(item, "update", "PUT",
                                        f"{path}/{item}/update?expected_seq={number}",
                                        {"data": {"size": size}})
        # Nobody else writes it: each number follows from the last one.
        if command.number != number + 1:
            self.surprise = f"{command} on number {number}: {command.refused} {answer}"
            return
        self.known[item] = (command.number, wanted)

    def write_shared(self):
        item = self.random.choice(sorted(self.shared))
        command, answer = self.send(item, "update", "PUT",
                                    f"/instances/{DATABASE}/async/Item/{item}/update"
                                    f"?expected_seq={self.shared[item]}",
                                    {"data": {"size": self.random.randrange(1_000_000)}})
        if command.number is not None:
            if command.number != self.shared[item] + 1:
                self.surprise = f"{command} on number {self.shared[item]}"
            self.shared[item] = command.number
        elif command.refused == 409:
            self.shared[item] = answer["detail"]["actual_seq"]
        else:
            self.surprise = f"{command}: {command.refused} {answer}"

    def run(self):
        try:
            while not self.ended.is_set() and self.surprise is None:
                if len(self.sent) >= self.most:
                    self.ended.wait(0.1)
                    continue
                if self.random.random() < 0.15:
                    self.write_shared()
                else:
                    self.write_own()
                self.ended.wait(self.pause * self.random.uniform(0.5, 1.5))
        except Exception as error:  # what it says is the test's failure
            self.surprise = f"{type(error).__name__}: {error}"
        self.caller.close()

    def accepted_after(self, moment):
        return any(command.number is not None and command.began > moment
                   for command in self.sent[-20:])


class Load:
    def __init__(self, cell, ports, clients=6, pause=0.12):
        self.cell, self.ports = cell, ports
        self.clients = [Client(cell, number, ports, pause) for number in range(clients)]

    def start(self):
        caller = Caller(self.ports)
        for item in self.clients[0].shared:
            status, answer = caller.ask(
                self.ports[0], "POST", f"/instances/{DATABASE}/async/Item/create",
                {"data": {"item_id": item}}, str(uuid.uuid4()))
            if status != 202 or answer["sequence_number"] != 1:
                raise RuntimeError(f"no load without {item}: {status} {answer}")
        caller.close()
        for client in self.clients:
            client.start()

    def accepted(self):
        return sum(1 for command in self.commands() if command.number is not None)

    def all_accepted_after(self, moment):
        """Each client was told of a command that it sent since."""
        return all(client.accepted_after(moment) for client in self.clients)

    def go_on(self):
        """The fault is over."""
        for client in self.clients:
            client.most = len(client.sent) + AFTER

    def surprises(self):
        return [client.surprise for client in self.clients if client.surprise]

    def stop(self):
        for client in self.clients:
            client.ended.set()

    def ended(self):
        return not any(client.is_alive() for client in self.clients)

    def commands(self):
        return [command for client in self.clients for command in list(client.sent)]

    def last_states(self):
        """item: (number, document or none), as its only writer knows it."""
        return {item: state for client in self.clients for item, state in client.known.items()}
