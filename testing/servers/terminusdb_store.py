"""The databases of the TerminusDB double: documents by commit, schema checks, WOQL.

Everything here is what a real 12.0.6 was seen to do. A Refusal is an answer of that server, an
Untaught is a request shape that nobody has recorded: the double then says so instead of guessing.
"""
import bisect
import json
import os
import random
import string
import uuid

BASE, SCHEMA = "terminusdb:///data/", "terminusdb:///schema#"
XSD = "http://www.w3.org/2001/XMLSchema#"


class Untaught(Exception):
    """A request that the record does not show."""


class Refusal(Exception):
    """An answer of the server that is no success."""

    def __init__(self, status, error=None, message="", body=None):
        super().__init__(message)
        self.status, self.error, self.message, self.body = status, error, message, body


def known_keys(value, allowed, where):
    extra = sorted(set(value) - set(allowed))
    if extra:
        raise Untaught(f"{where}: members {extra}")


def parse_json(text):
    """Raises ValueError for bad JSON, and for a lone surrogate."""
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False).encode()
    return value


def schema_failure(witness):
    return Refusal(400, {"@type": "api:SchemaCheckFailure", "api:witnesses": [witness]},
                   "Schema check failure")


def full(doc_id):
    return doc_id if doc_id.startswith(BASE) else BASE + doc_id


def short(doc_id):
    return doc_id[len(BASE):] if doc_id.startswith(BASE) else doc_id


class Database:
    """One database with its branch main. Used under the store's lock."""

    def __init__(self):
        self.commits = []    # ids, oldest first
        self.classes = {}    # name -> {field: range}
        self.versions = {}   # short id -> ([commit number], [document or None])
        self.order = {}      # short id -> when it was first inserted
        self.by_subject = {}  # predicate -> {subject: [object]}
        self.by_object = {}   # (predicate, object) -> {subject: None}

    @property
    def head(self):
        return self.commits[-1]

    def at(self, doc_id, number=None):
        numbers, documents = self.versions.get(doc_id, ([], []))
        place = len(numbers) if number is None else bisect.bisect_right(numbers, number)
        return documents[place - 1] if place else None

    def number_of(self, commit):
        if commit not in self.commits:
            raise Untaught(f"commit {commit}: the record shows no answer for an unknown one")
        return self.commits.index(commit)

    def documents(self, number=None):
        for doc_id in list(self.order):
            document = self.at(doc_id, number)
            if document is not None:
                yield document

    # -- schema --------------------------------------------------------------------------------

    @staticmethod
    def parse_range(text):
        if isinstance(text, dict):
            known_keys(text, ("@type", "@class"), "range")
            if text["@type"] not in ("Optional", "Set"):
                raise Untaught(f"range {text}")
            return text["@type"], text["@class"]
        return "Required", text

    def check_classes(self, classes):
        for fields in classes.values():
            for _, target in map(self.parse_range, fields.values()):
                if target in ("xsd:string", "xsd:integer") or target in classes:
                    continue
                if target.startswith("xsd:"):
                    raise Untaught(f"range {target}")
                raise schema_failure({"@type": "not_a_class_or_base_type",
                                      "class": SCHEMA + target})

    # -- documents -----------------------------------------------------------------------------

    def cast(self, field, target, value):
        if target == "xsd:string":
            if isinstance(value, (dict, list, bool)):
                raise Untaught(f"{value!r} for xsd:string")
            return value if isinstance(value, str) else str(value)
        if isinstance(value, float):
            raise Refusal(400, {"@type": "api:BadCast", "api:type": XSD + "integer",
                                "api:value": str(value)}, "Bad cast")
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise Untaught(f"{value!r} for xsd:integer")
        try:
            return int(value)
        except ValueError:
            raise schema_failure({SCHEMA + field: {
                "@type": "could_not_interpret_as_type", "type": XSD + "integer",
                "value": value}}) from None

    def elaborate(self, sent):
        """The document as it is stored; short ids in links."""
        if not isinstance(sent, dict):
            raise Untaught("a document that is no object")
        if "@type" not in sent or "@id" not in sent:
            raise Untaught("a document without @type or @id")
        kind = sent["@type"]
        if kind not in self.classes:
            raise schema_failure({"@type": "ascribed_type_does_not_exist",
                                  "ascribed_type": SCHEMA + kind, "document": sent})
        doc_id = short(sent["@id"])
        if not doc_id.startswith(kind + "/"):
            raise Refusal(400, {"@type": "api:SubmittedDocumentIdDoesNotHaveExpectedPrefix",
                                "api:submitted_id": sent["@id"],
                                "api:prefix": BASE + kind + "/"}, "Document id has no prefix")
        fields = self.classes[kind]
        unknown = sorted(set(sent) - set(fields) - {"@id", "@type"})
        if unknown:
            raise schema_failure({"@type": "unknown_property_for_type", "document": sent,
                                  "property": [SCHEMA + name for name in unknown],
                                  "type": SCHEMA + kind})
        stored = {"@id": doc_id, "@type": kind}
        for field in sorted(fields):
            family, target = self.parse_range(fields[field])
            value = sent.get(field)
            if value is None:
                if family == "Required":
                    raise schema_failure({"@type": "required_field_does_not_exist_in_document",
                                          "document": sent, "field": SCHEMA + field})
                continue
            if family == "Set":
                values = value if isinstance(value, list) else [value]
                values = sorted({self.value_of(field, target, one) for one in values})
                if values:
                    stored[field] = values
            else:
                stored[field] = self.value_of(field, target, value)
        return stored

    def value_of(self, field, target, value):
        if target.startswith("xsd:"):
            return self.cast(field, target, value)
        if not isinstance(value, str):
            raise Untaught("a nested document")
        return short(value)

    def links_of(self, document):
        for field, text in self.classes[document["@type"]].items():
            family, target = self.parse_range(text)
            if target.startswith("xsd:") or field not in document:
                continue
            for value in document[field] if family == "Set" else [document[field]]:
                yield field, family, value

    def check_links(self, changes):
        for document in changes.values():
            for field, _, value in self.links_of(document) if document else ():
                there = changes[value] if value in changes else self.at(value)
                if there is None:
                    raise schema_failure({"@type": "references_untyped_object",
                                          "object": full(value), "predicate": SCHEMA + field,
                                          "subject": full(document["@id"])})

    def drop_references(self, changes):
        """What a delete does to others: a required link stops it, others go silently."""
        gone = {doc_id for doc_id, document in changes.items() if document is None}
        for document in list(self.documents()) if gone else []:
            document = changes.get(document["@id"], document)
            for field, family, value in list(self.links_of(document)) if document else ():
                if value not in gone:
                    continue
                if family == "Required":
                    raise schema_failure({"@type": "instance_not_cardinality_one",
                                          "instance": full(document["@id"]),
                                          "predicate": SCHEMA + field})
                document = dict(document)
                if family == "Set":
                    document[field] = [one for one in document[field] if one != value]
                if family == "Optional" or not document[field]:
                    del document[field]
                changes[document["@id"]] = document

    def triples(self, document):
        yield "rdf:type", "@schema:" + document["@type"]
        for field, value in document.items():
            if not field.startswith("@"):
                for one in value if isinstance(value, list) else [value]:
                    yield field, one

    def apply(self, commit, classes, changes):
        number = len(self.commits)
        self.commits.append(commit)
        if classes is not None:
            self.classes = classes
        for doc_id, document in changes.items():
            for predicate, value in self.triples(self.at(doc_id) or {"@type": ""}):
                self.by_object.get((predicate, value), {}).pop(doc_id, None)
                self.by_subject.get(predicate, {}).pop(doc_id, None)
            if document is not None:
                self.order.setdefault(doc_id, len(self.order))
                for predicate, value in self.triples(document):
                    self.by_object.setdefault((predicate, value), {})[doc_id] = None
                    self.by_subject.setdefault(predicate, {}).setdefault(doc_id, []).append(value)
            numbers, documents = self.versions.setdefault(doc_id, ([], []))
            numbers.append(number)
            documents.append(document)


class Store:
    """All databases, journalled in one file: a line a change, written before it is answered."""

    def __init__(self, path):
        self.databases = {}
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        with open(path, "rb") as lines:
            whole = 0
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # cut off by a kill: it was not answered
                whole += len(line)
                self.replay(json.loads(line))
        os.ftruncate(self.file, whole)

    def replay(self, entry):
        name = entry["db"]
        if entry["op"] == "create":
            self.databases[name] = Database()
            self.databases[name].apply(entry["commit"], {}, {})
        elif entry["op"] == "drop":
            del self.databases[name]
        else:
            self.databases[name].apply(entry["commit"], entry["classes"], entry["changes"])

    def write(self, **entry):
        line = json.dumps(entry).encode() + b"\n"
        if os.write(self.file, line) != len(line):
            raise OSError("the journal is full")
        self.replay(entry)

    @staticmethod
    def new_id():
        return "".join(random.choices(string.ascii_lowercase + string.digits, k=31))

    def commit(self, name, changes, classes=None):
        """Nothing changed: no commit. Gives the data version."""
        database = self.databases[name]
        changes = {doc_id: document for doc_id, document in changes.items()
                   if database.at(doc_id) != document}
        if changes or (classes is not None and classes != database.classes):
            self.write(op="commit", db=name, commit=self.new_id(), classes=classes,
                       changes=changes)
        return "branch:" + database.head


# -- WOQL ------------------------------------------------------------------------------------------


def clauses_of(query, path=()):
    kind = query.get("@type")
    if kind == "And":
        known_keys(query, ("@type", "and"), "And")
        for index, inner in enumerate(query["and"]):
            yield from clauses_of(inner, (*path, "and", index))
    elif kind in ("Triple", "InsertDocument", "UpdateDocument"):
        yield query
    elif kind in ("Or", "Select", "Limit", "OrderBy", "Path", "DeleteDocument", "ReadDocument"):
        raise Untaught(f"WOQL {kind}")
    else:
        raise Refusal(400, {"@type": "vio:WOQLSyntaxError", "vio:path": list(path),
                            "vio:query": query}, "Not well formed WOQL JSON-LD")


def term(value, where, kinds):
    """("variable", name), ("node", id) or ("data", plain value)."""
    expected = "Value" if where == "object" else "NodeValue"
    given = sorted(set(value) - {"@type"})
    if value.get("@type") != expected or len(given) != 1 or given[0] not in kinds:
        raise Untaught(f"WOQL {where} {json.dumps(value)[:200]}")
    if given[0] == "data":
        return "data", literal(value["data"])
    return given[0], short(value[given[0]])


def literal(data):
    if not isinstance(data, dict) or set(data) != {"@type", "@value"}:
        raise Untaught(f"WOQL data {json.dumps(data)[:200]}")
    kind, value = data["@type"], data["@value"]
    if (kind, type(value)) not in (("xsd:string", str), ("xsd:integer", int)):
        raise Untaught(f"WOQL literal {kind} as {type(value).__name__}")
    return value


def dictionary(value):
    """A document from a DictionaryTemplate."""
    known_keys(value, ("@type", "dictionary"), "document")
    template = value["dictionary"]
    if template.get("@type") != "DictionaryTemplate":
        raise Untaught(f"WOQL dictionary {template.get('@type')}")
    document = {}
    for pair in template["data"]:
        if pair.get("@type") != "FieldValuePair" or set(pair) != {"@type", "field", "value"}:
            raise Untaught(f"WOQL pair {json.dumps(pair)[:200]}")
        inner = pair["value"]
        if set(inner) == {"@type", "list"}:
            document[pair["field"]] = [term(one, "object", ("node",))[1] for one in inner["list"]]
        else:
            document[pair["field"]] = term(inner, "object", ("data",))[1]
    return document


class Woql:
    """One query on the head of a database; `changes` is what it writes."""

    def __init__(self, database, query):
        self.database, self.changes = database, {}
        self.clauses = list(clauses_of(query))
        self.variables, self.inserts, self.deletes = [], 0, 0
        self.writes = any(clause["@type"] != "Triple" for clause in self.clauses)

    def run(self):
        rows = [{}]
        for clause in self.clauses:
            if clause["@type"] == "Triple":
                rows = [found for row in rows for found in self.match(clause, row)]
        for row in rows:
            for clause in self.clauses:
                if clause["@type"] != "Triple":
                    self.write(clause, row)
        self.database.check_links(self.changes)
        return rows

    def resolve(self, value, row):
        kind, text = value
        if kind != "variable":
            return True, text
        if text not in self.variables:
            self.variables.append(text)
        if text in row:
            return True, row[text][1]
        return False, text

    def match(self, clause, row):
        known_keys(clause, ("@type", "subject", "predicate", "object"), "Triple")
        subject = term(clause["subject"], "subject", ("variable", "node"))
        predicate = term(clause["predicate"], "predicate", ("node",))[1]
        wanted = term(clause["object"], "object", ("variable", "node", "data"))
        known_subject, s = self.resolve(subject, row)
        known_object, o = self.resolve(wanted, row)
        by_subject = self.database.by_subject.get(predicate, {})
        if known_subject:
            pairs = [(s, one) for one in by_subject.get(s, ()) if not known_object or one == o]
        elif known_object:
            pairs = [(one, o) for one in self.database.by_object.get((predicate, o), ())]
        else:
            pairs = [(one, value) for one in list(by_subject) for value in by_subject[one]]
        for one, value in pairs:
            found = dict(row)
            if not known_subject:
                found[s] = ("node", one)
            if not known_object:
                found[o] = (self.kind_of(one, predicate), value)
            yield found

    def kind_of(self, subject, predicate):
        fields = self.database.classes[self.database.at(subject)["@type"]]
        target = self.database.parse_range(fields[predicate])[1]
        return target if target.startswith("xsd:") else "node"

    def write(self, clause, row):
        known_keys(clause, ("@type", "document", "identifier"), clause["@type"])
        document = self.database.elaborate(dictionary(clause["document"]))
        doc_id = document["@id"]
        if "identifier" in clause:
            kind, name = term(clause["identifier"], "identifier", ("variable",))
            self.resolve((kind, name), row)
            row[name] = ("node", doc_id)
        if doc_id in self.changes:
            raise Refusal(400, {"@type": "api:SameDocumentIdsMutatedInOneTransaction",
                                "api:duplicate_ids": [full(doc_id)]}, "Same ids in a transaction")
        before = self.database.at(doc_id)
        if clause["@type"] == "InsertDocument" and before is not None:
            raise exists(doc_id, document)
        if clause["@type"] == "UpdateDocument":
            if before is None:
                raise missing(doc_id, document)
            self.deletes += len(list(self.database.triples(before)))
        self.inserts += len(list(self.database.triples(document)))
        self.changes[doc_id] = document


def exists(doc_id, sent):
    return Refusal(400, {"@type": "api:DocumentIdAlreadyExists", "api:document": sent,
                         "api:document_id": full(doc_id)},
                   f"Tried to insert a new document with id '{full(doc_id)}', but an object with "
                   "that id already exists")


def missing(doc_id, sent=None):
    error = {"@type": "api:DocumentNotFound", "api:document_id": full(doc_id)}
    if sent is not None:
        error["api:document"] = sent
    return Refusal(404, error, f"Document not found: '{full(doc_id)}'")


def request_id():
    return str(uuid.uuid4())
