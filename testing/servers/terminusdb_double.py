#!/usr/bin/env python3
"""A strict double of a TerminusDB 12.0.6 server, on loopback, for tests.

    terminusdb_double.py --data FILE --port N [--control-port N] [--account admin] [--user admin]
                         [--key root] [--workers 2] [--retries 4] [--idle-ms 2000]

It answers what a real server was seen to answer, quirks included, and refuses every request shape
that nobody has seen with a 400 of type double:NotTaught. docs/engines/terminusdb.md says what is
recorded and what is composed of recorded parts. terminusdb_faults.py: what --control-port does.
"""
import argparse
import base64
import http.server
import socket
import sys
import threading
import time
import urllib.parse

from terminusdb_faults import ControlHandler, Faults
from terminusdb_routes import Deleted, Routes, odd_json
from terminusdb_store import Refusal, Store, Untaught, request_id

DENIED = "'@schema':'Action/instance_read_access'"
METHODS = {"ok": ("GET",), "info": ("GET",), "woql": ("POST",), "optimize": ("POST",),
           "db": ("GET", "HEAD", "POST", "DELETE"),
           "document": ("GET", "HEAD", "POST", "PUT", "DELETE")}


class Cut(Exception):
    """The connection ends without an answer."""


class Handler(Routes, http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self):
        self.server.workers.acquire()  # an open connection holds a worker, idle or not
        self.timeout = self.server.options.idle_ms / 1000
        super().setup()

    def finish(self):
        try:
            super().finish()
        finally:
            self.server.workers.release()

    def log_message(self, *_):
        pass

    # -- one request -----------------------------------------------------------------------------

    def handle_any(self):
        self.raw = self.read_body()
        url = urllib.parse.urlsplit(self.path)
        self.route = urllib.parse.unquote(url.path)
        pairs = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
        self.query = dict(pairs)
        self.faults = self.server.faults.take(self.command, self.route)
        try:
            self.before()
            if len(pairs) != len(self.query):
                raise Untaught("a parameter twice")
            self.dispatch()
        except Cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        except Untaught as shape:
            text = f"the double was not taught this: {self.command} {self.path[:200]}: {shape}"
            print(text, file=sys.stderr, flush=True)
            self.server.faults.note_untaught(text)
            self.answer(400, {"@type": "double:NotTaught", "api:message": text})
        except Refusal as refusal:
            self.answer_refusal(refusal)
        finally:
            if any(fault["action"] == "hold" for fault in self.faults):
                self.server.faults.finish()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any

    def before(self):
        for fault in self.faults:
            if fault["action"] == "delay":
                time.sleep(fault["ms"] / 1000)
            elif fault["action"] == "drop":
                raise Cut
            elif fault["action"] == "status":
                raise Refusal(fault["status"], body=fault.get("body", {"api:message": "planned"}))

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, body=None, version=None, text=None, stream=False, kind=None):
        if any(fault["action"] == "lose_answer" for fault in getattr(self, "faults", ())):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if text is None:
            text = "" if body is None else odd_json(body) + "\n"
        data = text.encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind or "application/json; charset=UTF-8")
        if version:
            self.send_header("Terminusdb-Data-Version", version)
        if stream and self.request_version == "HTTP/1.1":
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 204:
            self.send_header("Content-Length", str(len(data)))
        if self.headers.get("Connection", "").lower() == "close":
            self.send_header("Connection", "close")
        else:
            self.server.faults.note_kept()
        self.end_headers()
        if self.command == "HEAD" or status == 204:
            return
        if stream and self.request_version == "HTTP/1.1":
            if data:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(data)

    def answer_refusal(self, refusal):
        if isinstance(refusal, Deleted):
            return self.answer(200, text=refusal.text, stream=True,
                               kind="application/json; stream=true; charset=UTF-8")
        body = refusal.body
        if body is None:
            status = "api:not_found" if refusal.status == 404 else "api:failure"
            body = {"@type": self.error_type, "api:error": refusal.error,
                    "api:message": refusal.message, "api:request_id": request_id(),
                    "api:status": status}
        return self.answer(refusal.status, body)

    # -- routes ----------------------------------------------------------------------------------

    def dispatch(self):
        parts = self.route.strip("/").split("/")
        if parts[0] != "api" or len(parts) < 2:
            raise self.unknown_path()
        name = parts[1]
        if name == "ok" and self.command == "GET" and len(parts) == 2:
            return self.answer(200, text="", kind="application/octets")
        if self.command not in METHODS.get(name, (self.command,)):
            return self.answer(405, text="<!DOCTYPE html>", kind="text/html; charset=UTF-8")
        user = self.authenticate()
        if name == "info" and self.command == "GET" and len(parts) == 2:
            return self.info(user)
        routes = {"db": self.db, "document": self.document, "woql": self.woql,
                  "optimize": self.optimize}
        if name in ("patch", "branch", "log", "history", "diff", "apply", "reset", "rebase",
                    "squash", "graphql", "schema", "prefixes", "user", "role", "organization"):
            raise Untaught("this part of the interface")
        if name not in routes:
            raise self.unknown_path()
        self.error_type = {"db": "api:DbListErrorResponse", "woql": "api:WoqlErrorResponse"}.get(
            name, "api:GetDocumentErrorResponse")
        if user == "anonymous":
            user = "terminusdb://system/data/User/anonymous"
            raise Refusal(403, body={
                "action": DENIED, "api:status": "api:forbidden", "auth": f"'{user}'",
                "api:message": f"Access to 'UserDatabase/x' is not authorised with action {DENIED}"
                               f" and auth '{user}'", "scope": "'UserDatabase/x'"})
        if self.raw and not self.headers.get("Content-Type"):
            raise Refusal(400, body={
                "@type": "api:MissingContentTypeErrorResponse", "api:status": "api:failure",
                "api:message": "Missing 'Content-Type' header. Expected value: application/json, "
                               "application/ld+json, or application/rdf+xml"})
        return routes[name](parts[2:])

    def unknown_path(self):
        return Refusal(404, body={"api:message": f"Path not found: {self.route}",
                                  "api:path": self.route, "api:status": "api:not_found"})

    def authenticate(self):
        header = self.headers.get("Authorization")
        if header is None:
            return "anonymous"
        options = self.server.options
        wanted = base64.b64encode(f"{options.user}:{options.key}".encode()).decode()
        if header != "Basic " + wanted:
            raise Refusal(401, body={
                "@type": "api:ErrorResponse", "api:status": "api:failure",
                "api:error": {"@type": "api:IncorrectAuthenticationError"},
                "api:message": "Incorrect authentication information"})
        return options.user

    def info(self, user):
        self.answer(200, {"@type": "api:InfoResponse", "api:status": "api:success", "api:info": {
            "authority": f"terminusdb://system/data/User/{user}", "storage": {"version": "2"},
            "terminusdb": {"git_hash": "double", "version": "12.0.6"},
            "terminusdb_store": {"version": "0.19.8"}}})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, BrokenPipeError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int)
    parser.add_argument("--account", default="admin")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--key", default="root")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--retries", type=int, default=4)
    parser.add_argument("--idle-ms", type=int, default=2000)
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler, bind_and_activate=False)
    server.options, server.faults = options, Faults()
    server.lock, server.workers = threading.Lock(), threading.Semaphore(options.workers)
    server.store = Store(options.data)
    server.server_bind()
    server.server_activate()
    if options.control_port:
        control = Server(("127.0.0.1", options.control_port), ControlHandler)
        control.faults, control.options = server.faults, options
        threading.Thread(target=control.serve_forever, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
