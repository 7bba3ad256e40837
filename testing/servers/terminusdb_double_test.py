#!/usr/bin/env python3
"""The TerminusDB double against examples recorded on a real server, and its strictness.

Bodies are compared parsed, and only the members named here: ids and commits differ every time.
"""
import base64
import http.client
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

DOUBLE = pathlib.Path(__file__).resolve().parent / "terminusdb_double.py"
D = "/api/document/admin/X"
A = "author=me&message=msg"
SCHEMA = [{"@type": "@context", "@base": "terminusdb:///data/", "@schema": "terminusdb:///schema#"},
          {"@id": "Person", "@type": "Class", "name": "xsd:string",
           "age": {"@type": "Optional", "@class": "xsd:integer"},
           "boss": {"@type": "Optional", "@class": "Person"},
           "knows": {"@type": "Set", "@class": "Person"}},
          {"@id": "Badge", "@type": "Class", "of": "Person"}]
ANN = {"@type": "Person", "@id": "Person/ann", "name": "ann", "age": 3}
FULL = "terminusdb:///data/"


def basic(user, key):
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


class Double:
    def __init__(self, folder, *options):
        self.folder, self.options = folder, options
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.port, self.control_port = one.getsockname()[1], two.getsockname()[1]
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(DOUBLE), "--data", f"{self.folder}/data", "--port",
             str(self.port), "--control-port", str(self.control_port), *self.options],
            stderr=subprocess.DEVNULL)
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.control_port)) == 0:
                    return
            time.sleep(0.01)
        raise RuntimeError("the double does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None, auth=basic("admin", "root"), headers=(), raw=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        send = {"Connection": "close", **dict(headers)}
        if auth:
            send["Authorization"] = auth
        data = raw if raw is not None else None if body is None else json.dumps(body)
        if data is not None:
            send.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, {k: v for k, v in send.items() if v})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        return response.status, parsed, text, response.headers

    def control(self, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=30)
        connection.request("GET" if body is None else "POST", path,
                           None if body is None else json.dumps(body))
        response = connection.getresponse()
        assert response.status == 200, path
        return json.loads(response.read())

    def fill(self):
        """Database X with its schema and ann."""
        assert self.ask("POST", "/api/db/admin/X", {"label": "X", "schema": True})[0] == 200
        assert self.ask("POST", f"{D}?{A}&graph_type=schema&full_replace=true", SCHEMA)[0] == 200
        assert self.ask("POST", f"{D}?{A}", [ANN])[0] == 200

    def head(self):
        return self.ask("HEAD", D)[3]["Terminusdb-Data-Version"]


def holds(expected, actual):
    """Whether `actual` has all of `expected`; a list is equal member by member."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(k in actual and holds(v, actual[k])
                                                for k, v in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(
            map(holds, expected, actual))
    return expected == actual


def error(kind, **members):
    return {"api:error": {"@type": "api:" + kind, **members}}


def witness(kind, **members):
    return error("SchemaCheckFailure", **{"api:witnesses": [{"@type": kind, **members}]})


def triple(s, p, o):
    def term(text, kind):
        return {"@type": kind, "variable" if text[0] == "?" else "node": text.lstrip("?")}
    wanted = o if isinstance(o, dict) else term(o, "Value")
    return {"@type": "Triple", "subject": term(s, "NodeValue"),
            "predicate": term(p, "NodeValue"), "object": wanted}


def text_of(value):
    return {"@type": "Value", "data": {"@type": "xsd:string", "@value": value}}


def written(kind, document, **extra):
    return {"@type": kind, **extra, "document": {"@type": "Value", "dictionary": {
        "@type": "DictionaryTemplate", "data": [
            {"@type": "FieldValuePair", "field": key, "value": text_of(value)}
            for key, value in document.items()]}}}


def woql(query, writes=True):
    body = {"query": query}
    if writes:
        body["commit_info"] = {"author": "me", "message": "msg"}
    return body


W = "/api/woql/admin/X"
NAMES = triple("?S", "name", "?N")
BOB = {"@type": "Person", "@id": "Person/bob", "name": "bob"}
ANNA = written("UpdateDocument", {"@type": "Person", "@id": "Person/ann", "name": "anna"})
SWAP = {"@type": "And", "and": [triple("Person/ann", "name", text_of("ann")), ANNA]}
LOST = {"@type": "And", "and": [triple("Person/ann", "name", text_of("other")), ANNA]}

# Name, method, path, body or raw text, expected status, expected members or text. In order, on one
# double: database X with the schema above and ann.
TABLE = [
    ("ok", "GET", "/api/ok", None, 200, ""),
    ("info", "GET", "/api/info", None, 200, {
        "@type": "api:InfoResponse", "api:status": "api:success",
        "api:info": {"authority": "terminusdb://system/data/User/admin"}}),
    ("unknown path", "GET", "/api/nosuch", None, 404, {
        "api:message": "Path not found: /api/nosuch", "api:path": "/api/nosuch",
        "api:status": "api:not_found"}),
    ("wrong method", "PATCH", D, None, 405, None),
    ("db exists", "POST", "/api/db/admin/X", {"label": "X", "schema": True}, 400, {
        "@type": "api:DbCreateErrorResponse", "api:message": "Database already exists.",
        **error("DatabaseAlreadyExists", **{"api:database_name": "X"})}),
    ("db no label", "POST", "/api/db/admin/Y", {"schema": True}, 400,
     error("MissingParameter", **{"api:parameter": "label"})),
    ("db unknown org", "POST", "/api/db/nosuchorg/Y", {"label": "Y", "schema": True}, 404,
     {"api:status": "api:not_found", **error("UnknownOrganizationName")}),
    ("db bad name", "POST", "/api/db/admin/a%7Cb", {"label": "Y", "schema": True}, 400,
     error("InvalidDatabaseName")),
    ("db bad JSON", "POST", "/api/db/admin/Y", "{bad", 400, {
        "api:message": "Submitted object was not valid JSON", "system:object": "{bad"}),
    ("db list", "GET", "/api/db", None, 200, [{"path": "admin/X"}]),
    ("db one", "GET", "/api/db/admin/X", None, 200, {"path": "admin/X"}),
    ("db unknown", "GET", "/api/db/admin/N", None, 404, {
        "@type": "api:DbListErrorResponse",
        "api:message": "Database does not exist, or you do not have permission"}),
    ("db delete unknown", "DELETE", "/api/db/admin/N", None, 404, {
        "@type": "api:DbDeleteErrorResponse", "api:message": "Unknown database: admin/N",
        **error("UnknownDatabase")}),
    ("no author", "POST", D, [BOB], 400, error("MissingParameter", **{"api:parameter": "author"})),
    ("class exists", "POST", f"{D}?{A}&graph_type=schema",
     {"@id": "Person", "@type": "Class", "name": "xsd:string"}, 400,
     error("DocumentIdAlreadyExists", **{"api:document_id": "Person"})),
    ("no context", "POST", f"{D}?{A}&graph_type=schema&full_replace=true", SCHEMA[1:], 400,
     error("NoContextFoundInSchema")),
    ("unknown range", "POST", f"{D}?{A}&graph_type=schema",
     {"@id": "Z", "@type": "Class", "z": "NoSuch"}, 400,
     witness("not_a_class_or_base_type", **{"class": "terminusdb:///schema#NoSuch"})),
    ("full replace again", "POST", f"{D}?{A}&graph_type=schema&full_replace=true", SCHEMA, 200,
     ["Person", "Badge"]),
    ("insert", "POST", f"{D}?{A}", [BOB], 200, [FULL + "Person/bob"]),
    ("insert again", "POST", f"{D}?{A}", [BOB], 400, {
        "@type": "api:InsertDocumentErrorResponse",
        **error("DocumentIdAlreadyExists", **{"api:document_id": FULL + "Person/bob"})}),
    ("one id twice", "POST", f"{D}?{A}", [dict(BOB, **{"@id": "Person/x"})] * 2, 400,
     error("SameDocumentIdsMutatedInOneTransaction",
           **{"api:duplicate_ids": [FULL + "Person/x"]})),
    ("one bad of two", "POST", f"{D}?{A}",
     [dict(BOB, **{"@id": "Person/good"}), {"@type": "Person", "@id": "Person/bad"}], 400,
     witness("required_field_does_not_exist_in_document", field="terminusdb:///schema#name")),
    ("the good one is not there", "GET", f"{D}?id=Person/good&as_list=true", None, 200, []),
    ("unknown field", "POST", f"{D}?{A}", dict(BOB, **{"@id": "Person/y", "nofield": 1}), 400,
     witness("unknown_property_for_type", property=["terminusdb:///schema#nofield"])),
    ("unknown type", "POST", f"{D}?{A}", {"@type": "Nope", "@id": "Nope/1"}, 400,
     witness("ascribed_type_does_not_exist")),
    ("not an integer", "POST", f"{D}?{A}", dict(ANN, **{"@id": "Person/y", "age": "abc"}), 400,
     error("SchemaCheckFailure", **{"api:witnesses": [{"terminusdb:///schema#age": {
         "@type": "could_not_interpret_as_type", "value": "abc"}}]})),
    ("a fraction", "POST", f"{D}?{A}", dict(ANN, **{"@id": "Person/y", "age": 1.5}), 400,
     error("BadCast")),
    ("no such target", "POST", f"{D}?{A}",
     dict(BOB, **{"@id": "Person/y", "knows": ["Person/nobody"]}), 400,
     witness("references_untyped_object", object=FULL + "Person/nobody")),
    ("wrong id", "POST", f"{D}?{A}", dict(BOB, **{"@id": "Other/y"}), 400,
     error("SubmittedDocumentIdDoesNotHaveExpectedPrefix")),
    ("bad JSON", "POST", f"{D}?{A}", "{bad", 500, {
        "@type": "api:UnhandledErrorResponse", "api:status": "api:server_error",
        **error("InternalServerError")}),
    ("lone surrogate", "POST", f"{D}?{A}", '{"@id":"Person/s","@type":"Person","name":"\\ud800"}',
     500, error("InternalServerError")),
    ("casts", "POST", f"{D}?{A}",
     {"@type": "Person", "@id": "Person/cast", "name": 5, "age": "12", "boss": None}, 200,
     [FULL + "Person/cast"]),
    ("cast", "GET", f"{D}?id=Person/cast&as_list=true", None, 200,
     [{"@id": "Person/cast", "@type": "Person", "age": 12, "name": "5"}]),
    ("replace unknown", "PUT", f"{D}?{A}", [dict(BOB, **{"@id": "Person/new"})], 404, {
        "@type": "api:ReplaceDocumentErrorResponse", "api:status": "api:not_found",
        **error("DocumentNotFound", **{"api:document_id": FULL + "Person/new"})}),
    ("upsert", "PUT", f"{D}?{A}&create=true", [BOB, dict(BOB, **{"@id": "Person/new"})], 200,
     [FULL + "Person/bob", FULL + "Person/new"]),
    ("delete", "DELETE", f"{D}?{A}&id=Person/new", None, 204, ""),
    ("delete unknown", "DELETE", f"{D}?{A}&id=Person/never", None, 404, {
        "@type": "api:DeleteDocumentErrorResponse",
        **error("DocumentNotFound", **{"api:document_id": FULL + "Person/never"})}),
    ("delete of a body ignores unknown ids", "DELETE", f"{D}?{A}",
     ["Person/cast", "Person/never"], 204, ""),
    ("delete nothing", "DELETE", f"{D}?{A}", None, 400, error("MissingTargets")),
    ("who is referred to", "POST", f"{D}?{A}",
     [dict(BOB, **{"@id": "Person/a", "boss": "Person/t", "knows": ["Person/t", "Person/bob"]}),
      dict(BOB, **{"@id": "Person/t"}), {"@type": "Badge", "@id": "Badge/1", "of": "Person/bob"}],
     200, [FULL + "Person/a", FULL + "Person/t", FULL + "Badge/1"]),
    ("a required reference stops a delete", "DELETE", f"{D}?{A}&id=Person/bob", None, 400,
     witness("instance_not_cardinality_one")),
    ("others go", "DELETE", f"{D}?{A}&id=Person/t", None, 204, ""),
    ("silently", "GET", f"{D}?id=Person/a&as_list=true", None, 200,
     [{"@id": "Person/a", "@type": "Person", "knows": ["Person/bob"], "name": "bob"}]),
    ("read", "GET", f"{D}?id=Person/ann", None, 200,
     {"@id": "Person/ann", "@type": "Person", "age": 3, "name": "ann"}),
    ("read by IRI", "GET", f"{D}?id=terminusdb:///data/Person/ann", None, 200, {"age": 3}),
    ("read unknown", "GET", f"{D}?id=Person/nope", None, 404, {
        "@type": "api:GetDocumentErrorResponse", "api:message": "Document not found: 'Person/nope'",
        **error("DocumentNotFound", **{"api:document_id": "Person/nope"})}),
    ("unknown as list", "GET", f"{D}?id=Person/nope&as_list=true", None, 200, "[\n\n]"),
    ("deleted as list", "GET", f"{D}?id=Person/new&as_list=true", None, 200, "[\n\n]"),
    ("page", "GET", f"{D}?type=Person&skip=1&count=1&as_list=true", None, 200,
     [{"@id": "Person/bob"}]),
    ("past the end", "GET", f"{D}?type=Person&skip=99&count=9&as_list=true", None, 200, "[\n\n]"),
    ("unknown class", "GET", f"{D}?type=Nope&as_list=true", None, 200, "[\n\n]"),
    ("bad count", "GET", f"{D}?type=Person&count=x", None, 400, error("BadParameterType")),
    ("unknown db", "GET", "/api/document/admin/N?id=Person/ann", None, 404, {
        "@type": "api:GetDocumentErrorResponse", **error("UnknownDatabase")}),
    ("write to unknown db", "POST", f"/api/document/admin/N?{A}", [BOB], 404, {
        "@type": "api:InsertDocumentErrorResponse", **error("UnknownDatabase")}),
    ("woql", "POST", W, woql(triple("?S", "name", text_of("ann")), False), 200, {
        "@type": "api:WoqlResponse", "api:variable_names": ["S"], "deletes": 0, "inserts": 0,
        "bindings": [{"S": "Person/ann"}], "transaction_retry_count": 0}),
    ("woql values", "POST", W, woql(triple("Person/ann", "name", "?N"), False), 200, {
        "bindings": [{"N": {"@type": "xsd:string", "@value": "ann"}}]}),
    ("woql insert", "POST", W,
     woql(written("InsertDocument", {"@type": "Person", "@id": "Person/woq", "name": "w"},
                  identifier={"@type": "NodeValue", "variable": "I"})), 200,
     {"bindings": [{"I": "Person/woq"}], "inserts": 2}),
    ("woql without author", "POST", W,
     woql(written("InsertDocument", {"@type": "Person", "@id": "Person/w2", "name": "w"}), False),
     400, error("MissingParameter", **{"api:parameter": "author"})),
    ("woql nonsense", "POST", W, woql({"@type": "Nope"}, False), 400, {
        "@type": "api:WoqlErrorResponse", "api:message": "Not well formed WOQL JSON-LD",
        "api:error": {"@type": "vio:WOQLSyntaxError", "vio:path": [],
                      "vio:query": {"@type": "Nope"}}}),
    ("woql swap lost", "POST", W, woql(LOST), 200, {"bindings": [], "inserts": 0}),
    ("woql swap won", "POST", W, woql(SWAP), 200, {"bindings": [{}]}),
    ("woql swapped", "POST", W, woql(triple("Person/ann", "name", "?N"), False), 200, {
        "bindings": [{"N": {"@type": "xsd:string", "@value": "anna"}}]}),
    ("optimize", "POST", "/api/optimize/admin/X/_meta", {}, 200,
     {"@type": "api:OptimizeResponse", "api:status": "api:success"}),
]

# Shapes that nobody has recorded.
UNTAUGHT = [
    ("POST", "/api/patch/admin/X", {}), ("POST", "/api/graphql/admin/X", {"query": "{}"}),
    ("GET", f"{D}?id=Person/ann&unfold=false", None), ("GET", D, None),
    ("POST", f"{D}?{A}&overwrite=true", [ANN]), ("POST", f"{D}?{A}&raw_json=true", {"a": 1}),
    ("DELETE", f"{D}?{A}&nuke=true", None), ("PUT", f"{D}?{A}&graph_type=schema", SCHEMA[1]),
    ("POST", f"{D}?{A}", [{"name": "untyped"}]),
    ("POST", f"{D}?{A}&graph_type=schema", {"@id": "Q", "@type": "Class", "d": "xsd:dateTime"}),
    ("POST", W, woql({"@type": "Or", "or": [NAMES]}, False)),
    ("POST", W, woql({"@type": "And", "and": [NAMES], "extra": 1}, False)),
    ("POST", W, woql(triple("?S", "?P", "?O"), False)),
    ("POST", W, {"query": NAMES, "all_witnesses": True}),
    ("POST", "/api/optimize/admin/X/local/branch/other", {}),
    ("POST", "/api/document/admin/X/local/branch/other?" + A, [ANN]),
]


def check_table(double):
    double.fill()
    for name, method, path, body, status, expected in TABLE:
        raw = body if isinstance(body, str) else None
        got = double.ask(method, path, None if raw else body, raw=raw)
        assert got[0] == status, (name, got[:3])
        if isinstance(expected, str):
            assert got[2] == expected, (name, got[2])
        elif expected is not None:
            assert holds(expected, got[1]), (name, got[1])


def check_untaught(double):
    double.fill()
    for method, path, body in UNTAUGHT:
        status, parsed, text, _ = double.ask(method, path, body)
        assert status == 400 and parsed["@type"] == "double:NotTaught", (method, path, text)
    assert len(double.control("/untaught")) == len(UNTAUGHT)


def check_deleted_is_404_inside_200(double):
    double.fill()
    assert double.ask("DELETE", f"{D}?{A}&id=Person/ann")[0] == 204
    status, _, text, _ = double.ask("GET", f"{D}?id=Person/ann")
    head, _, body = text.partition("\n\n")
    assert status == 200 and head == "Status: 404\nContent-type: application/json; charset=UTF-8"
    assert json.loads(body)["api:error"]["@type"] == "api:DocumentNotFound"


def check_authentication(double):
    double.fill()
    wrong = {"@type": "api:ErrorResponse", **error("IncorrectAuthenticationError")}
    for auth in (basic("admin", "nope"), basic("nobody", "root"), "Bearer x"):
        status, body, _, headers = double.ask("GET", "/api/info", auth=auth)
        assert status == 401 and holds(wrong, body) and "WWW-Authenticate" not in headers
    status, body, *_ = double.ask("GET", "/api/info", auth=None)
    assert status == 200 and body["api:info"]["authority"].endswith("/User/anonymous")
    assert double.ask("GET", "/api/ok", auth=None)[0] == 200
    status, body, *_ = double.ask("GET", f"{D}?id=Person/ann", auth=None)
    assert status == 403 and body["api:status"] == "api:forbidden" and "api:error" not in body


def check_transport(double):
    double.fill()
    status, body, *_ = double.ask("POST", f"{D}?{A}", raw="[]", headers={"Content-Type": ""})
    assert status == 400 and body["@type"] == "api:MissingContentTypeErrorResponse", body
    headers = double.ask("GET", f"{D}?id=Person/ann")[3]
    assert headers["Transfer-Encoding"] == "chunked"
    assert headers["Content-Type"] == "application/json; stream=true; charset=UTF-8"
    _, body, text, _ = double.ask("GET", "/api/db")
    assert text.strip() == '[{"path":"admin/X"} ]', text
    status, _, text, headers = double.ask("HEAD", D)
    assert status == 200 and text == "" and headers["Terminusdb-Data-Version"][:7] == "branch:"
    ids = {"ids": ["Person/nope", "Person/ann"], "as_list": True}
    override = {"X-HTTP-Method-Override": "GET"}
    assert double.ask("POST", D, ids, headers=override)[1] == [dict(ANN)]


def check_idle_connections_end_after_two_seconds(double):
    connection = socket.create_connection(("127.0.0.1", double.port), timeout=10)
    connection.sendall(b"GET /api/ok HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    started = time.monotonic()
    assert connection.recv(4096) == b""  # closed without an answer to anything
    assert 1.8 < time.monotonic() - started < 9


def check_idle_connections_hold_workers(double):
    idle = [socket.create_connection(("127.0.0.1", double.port)) for _ in range(2)]
    for one in idle:
        one.sendall(b"GET /api/ok HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(4096)
    started = time.monotonic()
    assert double.ask("GET", "/api/ok")[0] == 200
    assert time.monotonic() - started > 1


def check_data_version(double):
    double.fill()
    head = double.head()
    assert double.ask("POST", f"{D}?{A}", [])[3]["Terminusdb-Data-Version"] == head
    assert double.ask("PUT", f"{D}?{A}", [ANN])[3]["Terminusdb-Data-Version"] == head
    changed = double.ask("PUT", f"{D}?{A}", [dict(ANN, age=4)],
                         headers={"TerminusDB-Data-Version": head})
    assert changed[0] == 200 and changed[3]["Terminusdb-Data-Version"] == double.head() != head
    for method, body in (("GET", None), ("PUT", [ANN])):
        status, body, *_ = double.ask(method, f"{D}?{A}" if body else f"{D}?id=Person/ann", body,
                                      headers={"terminusdb-data-version": head})
        assert status == 400 and holds(error("DataVersionMismatch", **{
            "api:requested_data_version": head}), body), body
    status, body, *_ = double.ask("GET", f"{D}?id=Person/ann",
                                  headers={"TerminusDB-Data-Version": "{}"})
    assert status == 400 and holds(error("BadDataVersion"), body)
    commit = head.split(":")[1]
    old = double.ask("GET", f"{D}/local/commit/{commit}?id=Person/ann")
    assert old[1]["age"] == 3 and old[3]["Terminusdb-Data-Version"] == "commit:" + commit
    status, body, *_ = double.ask("POST", f"{D}/local/commit/{commit}?{A}", [BOB])
    assert status == 400 and holds(error("DocumentAccessImpossible"), body)


def overtaken(double, *request):
    """The answer to a write that another one overtakes between its check and its transaction."""
    answers = []
    double.control("/fault", {"action": "hold", "method": request[0]})
    late = threading.Thread(target=lambda: answers.append(double.ask(*request[:3], **request[3])))
    late.start()
    double.control("/held", {})
    assert double.ask("POST", f"{D}?{A}", [dict(BOB, **{"@id": "Person/first"})])[0] == 200
    double.control("/release", {})
    late.join()
    return answers[0]


def check_the_version_is_not_checked_again(double):
    double.fill()
    version = {"headers": {"TerminusDB-Data-Version": double.head()}}
    assert overtaken(double, "PUT", f"{D}?{A}", [dict(ANN, age=9)], version)[0] == 200
    assert double.ask("GET", f"{D}?id=Person/ann")[1]["age"] == 9


def check_without_retries_the_loser_gets_500(double):
    double.fill()
    double.control("/set", {"retries": 0})
    version = {"headers": {"TerminusDB-Data-Version": double.head()}}
    status, body, *_ = overtaken(double, "PUT", f"{D}?{A}", [dict(ANN, age=9)], version)
    assert status == 500 and body == {
        "api:message": "Transaction retry count exceeded in internal operation",
        "api:status": "api:server_error"}
    assert double.ask("GET", f"{D}?id=Person/ann")[1]["age"] == 3


def check_a_triple_is_checked_again(double):
    double.fill()
    answers = []
    double.control("/fault", {"action": "hold", "path": "/api/woql"})
    late = threading.Thread(target=lambda: answers.append(double.ask("POST", W, woql(SWAP))))
    late.start()
    double.control("/held", {})
    assert double.ask("PUT", f"{D}?{A}", [dict(ANN, name="eve")])[0] == 200
    double.control("/release", {})
    late.join()
    assert answers[0][0] == 200
    assert holds({"bindings": [], "inserts": 0, "transaction_retry_count": 1}, answers[0][1])
    assert double.ask("GET", f"{D}?id=Person/ann")[1]["name"] == "eve"


def check_commits_survive_a_kill(double):
    double.fill()
    assert double.ask("POST", f"{D}?{A}", [BOB])[0] == 200
    head = double.head()
    double.kill()
    with open(f"{double.folder}/data", "ab") as journal:
        journal.write(b'{"op":"commit","db":"X","chan')  # a write that the kill cut off
    double.start()
    assert double.head() == head
    assert double.ask("GET", f"{D}?id=Person/bob")[1] == BOB
    assert double.ask("POST", f"{D}?{A}", [dict(BOB, **{"@id": "Person/more"})])[0] == 200


def check_planned_faults(double):
    double.fill()
    for action, applied in (("drop", 0), ("lose_answer", 1), ("status", 0)):
        double.control("/fault", {"action": action, "method": "POST", "status": 503})
        try:
            status = double.ask("POST", f"{D}?{A}", [dict(BOB, **{"@id": "Person/" + action})])[0]
        except (http.client.HTTPException, OSError):
            status = None
        assert status == (503 if action == "status" else None), (action, status)
        found = double.ask("GET", f"{D}?id=Person/{action}&as_list=true")[1]
        assert len(found) == applied, action


def main():
    checks = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}
    failed = 0
    for name, check in checks.items():
        with tempfile.TemporaryDirectory() as folder:
            double = Double(folder)
            try:
                check(double)
            except Exception as problem:  # any: the next check has a double of its own
                failed += 1
                print(f"FAILED {name}: {type(problem).__name__}: {problem}")
            finally:
                double.kill()
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
