"""The five engines of a deployment, each a real server behind a proxy, and what can befall it."""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess

from proxy import Proxy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
SCRIPTS = ROOT / "testing/servers"
POSTGRES_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
DELETE_TOPICS = 20  # of Kafka's protocol


class Engine:
    def __init__(self, name, home, port):
        self.name, self.folder, self.port = name, pathlib.Path(home) / name, port
        self.proxy = Proxy(f"127.0.0.1:{port}")
        self.environment = {**os.environ}

    def command(self, verb, *words):
        return [str(SCRIPTS / f"{self.name}.sh"), verb, str(self.folder), *map(str, words)]

    def run(self, verb, *words):
        subprocess.run(self.command(verb, *words), check=True, env=self.environment, timeout=180,
                       stdout=subprocess.DEVNULL)

    def starting(self):
        """Starts it; the caller waits, so that all start together."""
        log = open(str(self.folder) + ".up.log", "wb")
        with log:
            return subprocess.Popen(self.command("up", self.port), env=self.environment,
                                    stdout=subprocess.DEVNULL, stderr=log)

    def start(self):
        self.run("up", self.port)

    def kill(self):
        self.run("down", "-9")

    def pid(self):
        return int((self.folder / f"{self.name}.pid").read_text())

    def signal(self, number):
        """To the server and its children."""
        pid = self.pid()
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                os.kill(int(child), number)
            except ProcessLookupError:
                pass
        os.kill(pid, number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def close(self):
        self.proxy.close()


class Kafka(Engine):
    def __init__(self, home, port):
        super().__init__("kafka", home, port)
        self.environment["KAFKA_ADVERTISED"] = self.proxy.address

    def delete_topics(self, names):
        """Past the proxy, by the smallest client that can: one request, one answer."""
        def text(value):
            return struct.pack(">h", len(value)) + value.encode()
        body = struct.pack(">hhi", DELETE_TOPICS, 1, 7) + text("outages")
        body += struct.pack(">i", len(names)) + b"".join(map(text, names))
        body += struct.pack(">i", 10_000)
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as broker:
            broker.sendall(struct.pack(">i", len(body)) + body)
            stream = broker.makefile("rb")
            answer = stream.read(struct.unpack(">i", stream.read(4))[0])
        at = 12  # correlation id, throttle time, how many
        for _ in names:
            size = struct.unpack_from(">h", answer, at)[0]
            error = struct.unpack_from(">h", answer, at + 2 + size)[0]
            if error:
                raise RuntimeError(f"Kafka does not delete a topic of {names}: error {error}")
            at += 4 + size


class Postgres(Engine):
    def __init__(self, home, port):
        super().__init__("postgres", home, port)
        self.backup = self.folder / "backup"
        self.environment["PGPASSWORD"] = "saffron"

    def pid(self):
        return int((self.folder / "pg/postmaster.pid").read_text().split()[0])

    def restart(self):
        self.run("down")
        self.start()

    def client(self, program, *words):
        return subprocess.run(
            [str(POSTGRES_BIN / program), "-h", "127.0.0.1", "-p", str(self.port), "-U", "saffron",
             *words], check=True, env=self.environment, timeout=120, text=True,
            stdout=subprocess.PIPE).stdout.strip()

    def sql(self, statement):
        return self.client("psql", "-d", "saffron", "-qtAc",
                           "set search_path = spice_event_registry; " + statement)

    def back_up(self):
        shutil.rmtree(self.backup, ignore_errors=True)
        self.client("pg_basebackup", "-D", str(self.backup), "-c", "fast", "-X", "fetch")

    def restore(self):
        """What was written since the backup is gone."""
        self.kill()
        data = self.folder / "pg"
        owner = data.stat()
        shutil.rmtree(data)
        self.backup.rename(data)
        for at in [data, *data.rglob("*")]:
            os.chown(at, owner.st_uid, owner.st_gid)
        self.start()


def make_engines(home, first_port):
    """In the order in which they stop. Of a run of ports; Kafka takes three, the double two."""
    return {"opensearch": Engine("opensearch", home, first_port + 5),
            "kafka": Kafka(home, first_port + 2),
            "terminusdb": Engine("terminusdb", home, first_port + 7),
            "postgres": Postgres(home, first_port + 1),
            "minio": Engine("minio", home, first_port)}


PLACES = {"minio": ("MINIO_ENDPOINT_URL", "http://{}"),
          "postgres": ("POSTGRES_URL", "postgresql://saffron:saffron@{}/saffron"),
          "kafka": ("KAFKA_BOOTSTRAP_SERVERS", "{}"),
          "opensearch": ("ELASTICSEARCH_URL", "http://{}"),
          "terminusdb": ("TERMINUS_SERVER_URL", "http://{}")}


def environment_at(engine, address):
    """The variable that says where it is."""
    name, form = PLACES[engine]
    return {name: form.format(address)}


def environment_of(engines):
    found = {"MINIO_ACCESS_KEY": "minioadmin", "MINIO_SECRET_KEY": "minioadmin123",
             "TERMINUS_KEY": "root", "OMS_REQUIRE_AUTH": "false"}
    for name, engine in engines.items():
        found.update(environment_at(name, engine.proxy.address))
    return found
