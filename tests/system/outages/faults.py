"""What can befall a deployment. A fault: `prepare` while all is well, `begin`, `tick` now and then,
`end`, `clean_up` after the recovery. `tellers`: who must not be ready meanwhile, and the part that
it must name (None: that it does not answer is enough)."""
import signal

from engines import environment_at
from proxy import Proxy

WORKERS = ("publisher", "ontology-worker", "instance-worker", "projection-worker")
ALL = ("oms", "oms-2") + WORKERS
TELLERS = {
    "minio": dict.fromkeys(ALL, "object_store"),
    "postgres": dict.fromkeys(ALL, "registry"),
    "kafka": {**dict(zip(WORKERS, WORKERS)), "projection-worker": "projection"},
    "opensearch": dict.fromkeys(("oms", "oms-2", "projection-worker"), "search"),
    "terminusdb": dict.fromkeys(("oms", "oms-2", "ontology-worker", "instance-worker"), "graph")}
# Not Kafka: its clients go where the broker says, past a proxy of their own.
ALONE = [("oms", "minio"), ("oms", "postgres"), ("publisher", "minio"), ("publisher", "postgres"),
         ("instance-worker", "minio"), ("instance-worker", "postgres"),
         ("instance-worker", "terminusdb"), ("projection-worker", "minio"),
         ("projection-worker", "postgres"), ("projection-worker", "opensearch")]
LOST_TOPICS = ["instance_commands", "instance_events"]


class Fault:
    seconds = 0   # it lasts at least so long
    tellers = {}

    def __init__(self, name):
        self.name = name

    def prepare(self, deployment):
        pass

    def begin(self, deployment):
        pass

    def tick(self, deployment):
        pass

    def end(self, deployment):
        pass

    def clean_up(self, deployment):
        pass


class EngineFault(Fault):
    def __init__(self, engine, kind):
        super().__init__(f"{engine} {kind}")
        self.engine = engine

    def on(self, deployment):
        return deployment.engines[self.engine]


class Down(EngineFault):
    """Killed, and back."""

    def __init__(self, engine):
        super().__init__(engine, "down")
        self.tellers = TELLERS[engine]

    def begin(self, deployment):
        self.on(deployment).kill()

    def end(self, deployment):
        self.on(deployment).start()


class Paused(EngineFault):
    """SIGSTOP: connections are taken, and nothing answers."""

    def __init__(self, engine):
        super().__init__(engine, "paused")
        self.tellers = TELLERS[engine]

    def begin(self, deployment):
        self.on(deployment).pause()

    def end(self, deployment):
        self.on(deployment).resume()


class Network(EngineFault):
    """`command` of the proxy; with `again`, time and again."""

    def __init__(self, engine, kind, command, again=False, told=False):
        super().__init__(engine, kind)
        self.command, self.again = command, again
        self.tellers = TELLERS[engine] if told else {}

    def begin(self, deployment):
        self.on(deployment).proxy.do(self.command)

    def tick(self, deployment):
        if self.again:
            self.on(deployment).proxy.do(self.command)

    def end(self, deployment):
        self.on(deployment).proxy.do("pass")


class PostgresRestarted(EngineFault):
    def __init__(self):
        super().__init__("postgres", "restarted")

    def begin(self, deployment):
        self.on(deployment).restart()


class PostgresRestored(EngineFault):
    """From a base backup that was taken some commands ago."""

    def __init__(self):
        super().__init__("postgres", "restored")

    def prepare(self, deployment):
        self.on(deployment).back_up()

    def begin(self, deployment):
        self.on(deployment).restore()


class TopicsDeleted(EngineFault):
    def __init__(self):
        super().__init__("kafka", "topics deleted")

    def begin(self, deployment):
        self.on(deployment).delete_topics(LOST_TOPICS)


class Killed(Fault):
    """kill -9 of a process; a supervisor starts it again at the end."""

    def __init__(self, service):
        super().__init__(f"{service} killed")
        self.service = service
        self.tellers = {service: None}

    def begin(self, deployment):
        deployment.kill(deployment.services[self.service])


class Suspended(Fault):
    """A process stands still beyond every lease, and wakes up believing that nothing happened. Of
    what is there once, a second one takes over."""
    seconds = 20  # the graph writer's lease is 15 s

    def __init__(self, service):
        super().__init__(f"{service} suspended")
        self.service = service
        self.tellers = {service: None}
        self.second = None

    def prepare(self, deployment):
        if self.service in WORKERS:
            self.second = deployment.add(self.service)

    def begin(self, deployment):
        process = deployment.services[self.service].process
        process.send_signal(signal.SIGSTOP)
        while self.service == "instance-worker" and not self.holds_claims(deployment):
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGSTOP)

    def holds_claims(self, deployment):
        """Two workers on one event is what this is about."""
        return deployment.engines["postgres"].sql(
            "select count(*) from processed_events where status = 'processing'"
            f" and owner like '{self.service}/%'") != "0"

    def end(self, deployment):
        deployment.services[self.service].process.send_signal(signal.SIGCONT)

    def clean_up(self, deployment):
        if self.second:
            deployment.remove(self.second)


class Alone(Fault):
    """One process reaches an engine no more, everybody else does: they must do its work."""
    seconds = 60  # beyond what a process holds on for (docs/adr/0016)

    def __init__(self, service, engine):
        super().__init__(f"{service} alone without {engine}")
        self.service, self.engine = service, engine
        self.tellers = {service: TELLERS[engine][service]}
        self.proxy = self.second = None

    def start_with(self, deployment, address):
        service = deployment.services[self.service]
        service.stop()
        service.environment = {**service.environment, **environment_at(self.engine, address)}
        service.start()
        if not deployment.wait_ready(self.service):
            raise RuntimeError(f"{self.service} is not ready:\n{service.tail()}")

    def prepare(self, deployment):
        """It comes first, so that it holds what there is once."""
        shared = deployment.engines[self.engine].proxy.address
        self.proxy = Proxy(shared)
        self.start_with(deployment, self.proxy.address)
        if self.service in WORKERS:
            self.second = deployment.add(self.service)

    def begin(self, deployment):
        self.proxy.do("refuse")

    def end(self, deployment):
        self.proxy.do("pass")

    def clean_up(self, deployment):
        if self.second:
            deployment.remove(self.second)
        self.start_with(deployment, deployment.engines[self.engine].proxy.address)
        self.proxy.close()


def faults_of(engine):
    return [Down(engine), Paused(engine), Network(engine, "drop", "refuse", told=True),
            Network(engine, "delay", "delay 400"), Network(engine, "cut", "cut 2", again=True),
            Network(engine, "throttle", "throttle 20000")]


def all_faults():
    faults = [fault for engine in TELLERS for fault in faults_of(engine)]
    faults += [PostgresRestarted(), PostgresRestored(), TopicsDeleted()]
    faults += [Killed(service) for service in ALL]
    faults += [Suspended(service) for service in ALL if service != "oms-2"]
    faults += [Alone(service, engine) for service, engine in ALONE]
    return {fault.name: fault for fault in faults}


# Each engine with each other one, the harsher faults; and processes that die while one is away.
PAIRS = [
    ("minio drop", "postgres down"), ("minio cut", "postgres cut"), ("minio down", "kafka down"),
    ("minio paused", "opensearch drop"), ("minio cut", "terminusdb cut"),
    ("postgres restored", "kafka topics deleted"), ("postgres down", "kafka drop"),
    ("postgres restarted", "opensearch down"), ("postgres cut", "terminusdb down"),
    ("kafka drop", "opensearch drop"), ("kafka cut", "terminusdb cut"),
    ("opensearch down", "terminusdb down"), ("minio cut", "postgres restored"),
    ("minio drop", "oms killed"), ("postgres down", "instance-worker killed"),
    ("postgres restarted", "publisher killed"), ("kafka down", "publisher killed"),
    ("kafka drop", "projection-worker killed"), ("opensearch drop", "projection-worker killed"),
    ("terminusdb cut", "instance-worker killed"), ("oms killed", "instance-worker killed"),
    ("publisher killed", "projection-worker killed"), ("minio delay", "instance-worker suspended"),
    ("postgres cut", "publisher suspended"), ("postgres restored", "oms suspended")]
