"""What the TerminusDB double answers on each path; terminusdb_double.py carries it."""
import json

from terminusdb_store import (BASE, Refusal, Store, Untaught, Woql, exists, full, known_keys,
                              missing, parse_json, request_id, short)

INTERNAL = {"@type": "api:UnhandledErrorResponse",
            "api:error": {"@type": "api:InternalServerError"},
            "api:message": "An internal server error occurred. Please contact the administrator.",
            "api:status": "api:server_error"}
RETRIES = {"api:message": "Transaction retry count exceeded in internal operation",
           "api:status": "api:server_error"}


def odd_json(value):
    """Compact with sorted keys and the server's odd spaces."""
    if isinstance(value, dict):
        inner = (json.dumps(key) + (": " if isinstance(value[key], dict) else ":") +
                 odd_json(value[key]) for key in sorted(value))
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(odd_json, value)) + (" ]" if value else "]")
    return json.dumps(value, ensure_ascii=False)


class Deleted(Refusal):
    """Of an id deleted earlier: a 404 inside the body of a 200."""

    def __init__(self, body):
        super().__init__(404, body=body)
        self.text = ("Status: 404\nContent-type: application/json; charset=UTF-8\n\n" +
                     odd_json(body) + "\n")


class Routes:
    """Mixed into a connection's handler: self.route, self.query and self.raw are the request."""

    # -- databases -------------------------------------------------------------------------------

    def db(self, parts):
        store, account = self.server.store, self.server.options.account
        if not parts and self.command == "GET" and not self.query:
            with self.server.lock:
                return self.answer(200, [{"path": f"{account}/{name}"}
                                         for name in sorted(store.databases)])
        if len(parts) != 2:
            raise Untaught("a path of databases")
        organization, name = parts
        if self.command == "POST":
            return self.create_db(organization, name)
        there = organization == account and name in store.databases
        if self.command in ("GET", "HEAD") and not self.query:
            if not there:
                raise Refusal(404, body={
                    "@type": "api:DbListErrorResponse", "api:status": "api:failure",
                    "api:message": "Database does not exist, or you do not have permission"})
            return self.answer(200, {"path": f"{organization}/{name}"})
        if self.command != "DELETE":
            raise Untaught("this method on a database")
        known_keys(self.query, ("force",), "delete")
        self.error_type = "api:DbDeleteErrorResponse"
        with self.server.lock:
            if organization != account or name not in store.databases:
                raise self.unknown_database(organization, name)
            store.write(op="drop", db=name)
        return self.answer(200, {"@type": "api:DbDeleteResponse", "api:status": "api:success"})

    @staticmethod
    def unknown_database(organization, name):
        return Refusal(404, {"@type": "api:UnknownDatabase", "api:database_name": name,
                             "api:organization_name": organization},
                       f"Unknown database: {organization}/{name}")

    def create_db(self, organization, name):
        self.error_type = "api:DbCreateErrorResponse"
        try:
            body = parse_json(self.raw)
        except ValueError:
            raise Refusal(400, body={"api:message": "Submitted object was not valid JSON",
                                     "api:status": "api:failure",
                                     "system:object": self.raw.decode("utf-8", "replace")}
                          ) from None
        known_keys(body, ("label", "comment", "schema"), "create")
        if "label" not in body:
            raise Refusal(400, {"@type": "api:MissingParameter", "api:parameter": "label"},
                          "Missing parameter: label")
        if body.get("schema") is not True:
            raise Untaught("a database without schema")
        if organization != self.server.options.account:
            raise Refusal(404, {"@type": "api:UnknownOrganizationName",
                                "api:organization_name": organization}, "Unknown organization")
        if "|" in name:
            raise Refusal(400, {"@type": "api:InvalidDatabaseName", "api:database_name": name},
                          "Invalid database name")
        with self.server.lock:
            if name in self.server.store.databases:
                raise Refusal(400, {"@type": "api:DatabaseAlreadyExists",
                                    "api:database_name": name,
                                    "api:organization_name": organization},
                              "Database already exists.")
            self.server.store.write(op="create", db=name, commit=Store.new_id())
        self.answer(200, {"@type": "api:DbCreateResponse", "api:status": "api:success",
                          "api:database_uri": f"terminusdb://system/data/UserDatabase/{name}"})

    def optimize(self, parts):
        if self.command != "POST" or self.raw.strip() != b"{}":
            raise Untaught("optimize in this form")
        if parts != ["_system"]:
            name = self.database_name(parts[:2])
            if parts[2:] not in (["local", "branch", "main"], ["local", "_commits"], ["_meta"]):
                raise Untaught("what to optimize")
            with self.server.lock:
                if name not in self.server.store.databases:
                    raise self.unknown_database(*parts[:2])
        self.answer(200, {"@type": "api:OptimizeResponse", "api:status": "api:success"})

    def database_name(self, parts):
        if len(parts) != 2 or parts[0] != self.server.options.account:
            raise Untaught("this path")
        return parts[1]

    # -- the data version ------------------------------------------------------------------------

    def check_version(self, database, current=None):
        """Before the transaction, and never again: the race of the real server."""
        wanted = self.headers.get("TerminusDB-Data-Version")
        actual = current or "branch:" + database.head
        if wanted is None or wanted == actual:
            return
        kind, _, commit = wanted.partition(":")
        if kind != "branch" or not commit:
            raise Refusal(400, {"@type": "api:BadDataVersion", "api:data_version": wanted},
                          "Bad data version")
        raise Refusal(400, {"@type": "api:DataVersionMismatch", "api:actual_data_version": actual,
                            "api:requested_data_version": wanted},
                      "Requested data version in header does not match actual data version.")

    def transact(self, name, body):
        """`body` makes the changes and the answer; it is run again when the head moved."""
        server = self.server
        with server.lock:
            if name not in server.store.databases:
                raise self.unknown_database(server.options.account, name)
            database = server.store.databases[name]
            self.check_version(database)
            head = database.head
        if any(fault["action"] == "hold" for fault in self.faults):
            server.faults.hold()
        with server.lock:
            if server.store.databases.get(name) is not database:
                raise Untaught("a database dropped under a write")
            retries = int(database.head != head)
            changes, classes, answer = body(database, retries)
            if retries > server.options.retries and (changes or classes is not None):
                raise Refusal(500, body=RETRIES)
            version = server.store.commit(name, changes, classes)
        self.answer(version=version, **answer)

    # -- documents -------------------------------------------------------------------------------

    def document(self, parts):
        name = self.database_name(parts[:2])
        commit = None
        if parts[2:4] == ["local", "commit"] and len(parts) == 5:
            commit = parts[4]
        elif parts[2:] not in ([], ["local", "branch", "main"]):
            raise Untaught("this branch or graph")
        method = self.command
        if method == "POST" and self.headers.get("X-HTTP-Method-Override") == "GET":
            if self.query:
                raise Untaught("parameters in URL and body")
            return self.read(name, commit, parse_json(self.raw))
        if method in ("GET", "HEAD"):
            if self.raw:
                raise Untaught("a GET with a body")
            return self.read(name, commit, dict(self.query), head=method == "HEAD")
        self.error_type = {"POST": "api:InsertDocumentErrorResponse",
                           "PUT": "api:ReplaceDocumentErrorResponse",
                           "DELETE": "api:DeleteDocumentErrorResponse"}[method]
        if commit is not None:
            raise Refusal(400, {"@type": "api:DocumentAccessImpossible"}, "Access impossible")
        return self.write(name, method)

    def write(self, name, method):
        for parameter in ("author", "message"):
            if parameter not in self.query:
                raise Refusal(400, {"@type": "api:MissingParameter", "api:parameter": parameter},
                              f"Missing parameter: {parameter}")
        options = {key: value for key, value in self.query.items()
                   if key not in ("author", "message")}
        try:
            sent = parse_json(self.raw) if self.raw else []
        except ValueError:
            raise Refusal(500, body=INTERNAL) from None
        sent = sent if isinstance(sent, list) else [sent]
        if options.get("graph_type") == "schema":
            if method != "POST":
                raise Untaught("this change of a schema")
            known_keys(options, ("graph_type", "full_replace"), "schema")
            change = lambda database, _: self.schema(database, sent, options)
        elif method == "POST":
            known_keys(options, (), "insert")
            change = lambda database, _: self.put(database, sent, insert=True, update=False)
        elif method == "PUT":
            known_keys(options, ("create",), "replace")
            create = options.get("create") == "true"
            change = lambda database, _: self.put(database, sent, insert=create, update=True)
        else:
            known_keys(options, ("id",), "delete")
            change = lambda database, _: self.delete(database, options.get("id"), sent)
        return self.transact(name, change)

    @staticmethod
    def schema(database, sent, options):
        classes = dict(database.classes)
        if options.get("full_replace") == "true":
            if not sent or sent[0].get("@type") != "@context":
                raise Refusal(400, {"@type": "api:NoContextFoundInSchema"}, "No context")
            if sent[0] != {"@type": "@context", "@base": BASE,
                           "@schema": "terminusdb:///schema#"}:
                raise Untaught("another context")
            classes, sent = {}, sent[1:]
            if list(database.documents()) and database.classes != {
                    one["@id"]: {k: v for k, v in one.items() if k[0] != "@"} for one in sent}:
                raise Untaught("another schema over documents")
        for one in sent:
            if one.get("@type") != "Class" or "@id" not in one:
                raise Untaught(f"in a schema: {json.dumps(one)[:200]}")
            if one["@id"] in classes:
                raise Refusal(400, {"@type": "api:DocumentIdAlreadyExists",
                                    "api:document_id": one["@id"]}, "Class exists")
            fields = {key: value for key, value in one.items() if key not in ("@id", "@type")}
            if any(key.startswith("@") for key in fields):
                raise Untaught(f"in a class: {sorted(fields)}")
            classes[one["@id"]] = fields
        database.check_classes(classes)
        return {}, classes, {"status": 200, "body": [one["@id"] for one in sent]}

    @staticmethod
    def put(database, sent, insert, update):
        changes, ids = {}, []
        for one in sent:
            document = database.elaborate(one)
            doc_id = document["@id"]
            if doc_id in changes:
                raise Refusal(400, {"@type": "api:SameDocumentIdsMutatedInOneTransaction",
                                    "api:duplicate_ids": [full(doc_id)]}, "Twice")
            there = database.at(doc_id) is not None
            if there and not update:
                raise exists(doc_id, one)
            if not there and not insert:
                raise missing(doc_id, one)
            changes[doc_id] = document
            ids.append(full(doc_id))
        database.check_links(changes)
        return changes, None, {"status": 200, "body": ids}

    @staticmethod
    def delete(database, doc_id, sent):
        if doc_id is None and not sent:
            raise Refusal(400, {"@type": "api:MissingTargets"}, "Missing targets")
        if doc_id is not None and database.at(short(doc_id)) is None:
            raise missing(short(doc_id))
        ids = [doc_id] if doc_id is not None else sent  # of a body, unknown ones are ignored
        changes = {short(one): None for one in ids if database.at(short(one)) is not None}
        database.drop_references(changes)
        return changes, None, {"status": 204}

    def read(self, name, commit, options, head=False):
        known_keys(options, ("id", "ids", "type", "skip", "count", "as_list", "query"), "read")
        with self.server.lock:
            if name not in self.server.store.databases:
                raise self.unknown_database(self.server.options.account, name)
            database = self.server.store.databases[name]
            number = None if commit is None else database.number_of(commit)
            version = f"commit:{commit}" if commit else "branch:" + database.head
            self.check_version(database, version)
            if head:
                return self.answer(200, version=version)
            as_list = options.get("as_list") in ("true", True)
            found = self.select(database, number, options, as_list)
        lines = [odd_json(one) for one in found]
        text = "[\n" + ",\n".join(lines) + "\n]" if as_list else "".join(x + "\n" for x in lines)
        kind = "application/json; stream=true; charset=UTF-8"
        return self.answer(200, text=text, version=version, stream=True,
                           kind=None if as_list else kind)

    def select(self, database, number, options, as_list):
        if "ids" in options:
            known_keys(options, ("ids", "as_list"), "read by ids")
            wanted = dict.fromkeys(short(one) for one in options["ids"])
            return [one for one in (database.at(doc_id, number) for doc_id in wanted) if one]
        if "id" in options:
            known_keys(options, ("id", "as_list"), "read by id")
            found = database.at(short(options["id"]), number)
            if found or as_list:
                return [found] if found else []
            raise self.not_found(database, options["id"])
        if "type" not in options:
            raise Untaught("a read without id, ids or type")
        for name in ("skip", "count"):
            if not str(options.get(name, "0")).isdigit():
                raise Refusal(400, {"@type": "api:BadParameterType", "api:parameter": name,
                                    "api:value": options[name]}, "Bad parameter type")
        found = [one for one in database.documents(number) if one["@type"] == options["type"]]
        template = options.get("query", {})
        found = [one for one in found if all(one.get(k) == v for k, v in template.items())]
        start = int(options.get("skip", 0))
        return found[start:start + int(options["count"])] if "count" in options else found[start:]

    def not_found(self, database, doc_id):
        body = {"@type": "api:GetDocumentErrorResponse", "api:status": "api:not_found",
                "api:error": {"@type": "api:DocumentNotFound", "api:document_id": doc_id},
                "api:message": f"Document not found: '{doc_id}'", "api:request_id": request_id()}
        if short(doc_id) not in database.versions:
            return Refusal(404, body=body)
        return Deleted(body)

    # -- WOQL ------------------------------------------------------------------------------------

    def woql(self, parts):
        if self.command != "POST" or self.query:
            raise Untaught("WOQL in this form")
        name = self.database_name(parts)
        try:
            body = parse_json(self.raw)
        except ValueError:
            raise Untaught("WOQL that is no JSON") from None
        known_keys(body, ("query", "commit_info"), "WOQL request")

        def change(database, retries):
            query = Woql(database, body["query"])
            if query.writes:
                known_keys(body.get("commit_info", {}), ("author", "message"), "commit_info")
                if "author" not in body.get("commit_info", {}):
                    raise Refusal(400, {"@type": "api:MissingParameter",
                                        "api:parameter": "author"}, "Missing parameter: author")
            rows = query.run()
            bindings = [{key: value if kind == "node" else {"@type": kind, "@value": value}
                         for key, (kind, value) in row.items()} for row in rows]
            return query.changes, None, {"status": 200, "body": {
                "@type": "api:WoqlResponse", "api:status": "api:success",
                "api:variable_names": query.variables, "bindings": bindings,
                "deletes": query.deletes, "inserts": query.inserts,
                "transaction_retry_count": retries if query.writes else 0}}

        self.transact(name, change)
