"""Whether a history is one: pure, fed with the events of the log, the records of the bus, and what
the clients were told."""

TOPICS = {"database_commands", "ontology_commands", "ontology_events", "instance_commands",
          "instance_events"}


class Verdict:
    """What was wrong; each list has words for a person."""

    def __init__(self):
        self.lost, self.doubled, self.reordered = [], [], []

    def clean(self):
        return not (self.lost or self.doubled or self.reordered)

    def all(self):
        return [f"{kind}: {what}" for kind in ("lost", "doubled", "reordered")
                for what in getattr(self, kind)]


class History:
    """The log up to where it was read, and the bus. What is wrong of either goes to the verdict of
    the moment, which `judge` hands out."""

    def __init__(self):
        self.commands = {}   # id: (aggregate, number)
        self.outcomes = {}   # id of the command: type of the event
        self.events = set()  # ids of all of them
        self.numbers = {}    # (aggregate, kind): the last one in the log
        self.on_bus = {}     # topic: (its id, ids of the events, last number of (key, kind))
        self.topic_of = {}   # id of the event: topic
        self.verdict = Verdict()

    def add(self, event):
        """The next event of the log."""
        meta, number = event["metadata"], event["sequence_number"]
        aggregate = (event["aggregate_type"], event["aggregate_id"])
        command = meta["command_id"]
        name = f"{event['event_type']} {number} of {event['aggregate_id']}"
        self.events.add(event["event_id"])
        self.topic_of[event["event_id"]] = meta["kafka_topic"]
        if meta["kind"] == "command":
            if command in self.commands:
                self.verdict.doubled.append(f"{name}: its command is in the log twice")
            self.commands[command] = (event["aggregate_id"], number)
        else:
            if command in self.outcomes:
                self.verdict.doubled.append(f"{name}: its command has two outcomes")
            if command not in self.commands:
                self.verdict.reordered.append(f"{name}: an outcome before its command")
            self.outcomes[command] = event["event_type"]
        last = self.numbers.get((aggregate, meta["kind"]), 0)
        if number != last + 1:
            self.verdict.reordered.append(f"{name}: after number {last}")
        self.numbers[aggregate, meta["kind"]] = number

    def add_record(self, topic, topic_id, record):
        """The next record of a partition. One with a number that was passed repeats what was there;
        a topic made again begins anew."""
        known_id, ids, numbers = self.on_bus.get(topic, ("", None, None))
        if known_id != topic_id:
            ids, numbers = set(), {}
            self.on_bus[topic] = (topic_id, ids, numbers)
        ids.add(record.headers["event_id"])
        number = int(record.headers["sequence_number"])
        kind = record.headers["event_type"].endswith("_REQUESTED")
        last = numbers.get((record.key, kind), 0)
        if number > last + 1:
            self.verdict.reordered.append(
                f"bus: {topic} has {number} of {record.key} after {last}")
        numbers[record.key, kind] = max(number, last)

    def not_on_bus(self):
        return [event for event in self.events
                if event not in self.on_bus.get(self.topic_of[event], ("", ()))[1]]

    def undecided(self):
        return [command for command in self.commands if command not in self.outcomes]

    def judge(self, sent):
        """What the clients were told against the log, and what was found since the last call."""
        verdict, self.verdict = self.verdict, Verdict()
        for command in sent:
            found = self.commands.get(command.key)
            if command.number is not None:
                if found is None:
                    verdict.lost.append(f"{command}: acknowledged, not in the log")
                elif found[1] != command.number:
                    verdict.doubled.append(f"{command}: in the log as {found[1]}")
                if found is not None and command.key not in self.outcomes:
                    verdict.lost.append(f"{command}: without an outcome")
            elif command.refused and found is not None:
                verdict.doubled.append(f"{command}: refused, and in the log as {found[1]}")
        for event in self.not_on_bus():
            verdict.lost.append(f"{event} is not on the bus ({self.topic_of[event]})")
        return verdict
