"""Planned faults of the TerminusDB double, and the port that plans them.

POST /fault {action, method, path, skip, times, ms, status, body}: for requests of that method whose
path holds that text. Actions: lose_answer (applied, then the connection is cut), drop (cut before),
delay (ms), status (answered so, with a body if given, and not applied), hold (a write stops between
its checks and its transaction, where a real one may be overtaken).
POST /held waits until one is held, POST /release lets it go on and waits for its end, POST /set
{retries} changes the option, GET /seen counts requests, GET /untaught lists what was refused.
"""
import http.server
import json
import threading

PATIENCE_SECONDS = 20


class Faults:
    def __init__(self):
        self.lock = threading.Condition()
        self.planned, self.held, self.released, self.finished = [], 0, 0, 0
        self.seen, self.untaught = {}, []

    def plan(self, fault):
        with self.lock:
            self.planned.append({"skip": 0, "times": 1, "method": None, "path": "", **fault})

    def take(self, method, path):
        """The faults of this request."""
        found = []
        with self.lock:
            shape = f"{method} {'/'.join(path.split('/')[:3])}"
            self.seen[shape] = self.seen.get(shape, 0) + 1
            for fault in self.planned:
                if fault["method"] not in (None, method) or fault["path"] not in path:
                    continue
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                elif fault["times"] > 0:
                    fault["times"] -= 1
                    found.append(fault)
        return found

    def note_kept(self):
        """A request that leaves its connection open."""
        with self.lock:
            self.seen["kept connections"] = self.seen.get("kept connections", 0) + 1

    def note_untaught(self, text):
        with self.lock:
            self.untaught.append(text)

    def hold(self):
        with self.lock:
            self.held += 1
            mine = self.released + self.held
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.released >= mine, PATIENCE_SECONDS)

    def finish(self):
        """Of a request that was held: it is answered."""
        with self.lock:
            self.finished += 1
            self.lock.notify_all()

    def wait_held(self):
        with self.lock:
            return self.lock.wait_for(lambda: self.held > 0, PATIENCE_SECONDS)

    def release(self):
        with self.lock:
            there = self.lock.wait_for(lambda: self.held > 0, PATIENCE_SECONDS)
            self.held -= 1 if there else 0
            self.released += 1 if there else 0
            self.lock.notify_all()
            return there and self.lock.wait_for(lambda: self.finished >= self.released,
                                                PATIENCE_SECONDS)


class ControlHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        faults = self.server.faults
        self.answer({"/seen": faults.seen, "/untaught": faults.untaught}.get(self.path))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        faults = self.server.faults
        if self.path == "/fault":
            faults.plan(body)
        elif self.path == "/set":
            self.server.options.retries = body["retries"]
        elif self.path not in ("/held", "/release"):
            return self.answer(None)
        elif not (faults.wait_held() if self.path == "/held" else faults.release()):
            return self.answer(None)
        return self.answer({})

    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass
