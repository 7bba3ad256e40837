"""What is on the bus, out of the broker's own files: every record with key and headers, without a
client that could lose or reorder any."""
import pathlib
import struct

BATCH_HEADER = 61
CONTROL = 0x20
COMPRESSION = 0x07


class Record:
    __slots__ = ("key", "headers")

    def __init__(self, key, headers):
        self.key, self.headers = key, headers


class Cursor:
    def __init__(self, data, at):
        self.data, self.at = data, at

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def sized(self):
        size = self.varint()
        return None if size < 0 else self.take(size)


def record_of(cursor):
    cursor.varint()  # length
    cursor.at += 1   # attributes
    cursor.varint()  # time
    cursor.varint()  # offset
    key = cursor.sized()
    cursor.sized()   # value
    headers = {}
    for _ in range(cursor.varint()):
        name = cursor.sized().decode()
        headers[name] = cursor.sized().decode()
    return Record((key or b"").decode(), headers)


def records_of(data):
    """The records of the whole batches at the front of a segment, and how many bytes those are."""
    records, at = [], 0
    while at + BATCH_HEADER <= len(data):
        end = at + 12 + struct.unpack_from(">i", data, at + 8)[0]
        if end > len(data):
            break
        attributes = struct.unpack_from(">h", data, at + 21)[0]
        count = struct.unpack_from(">i", data, at + 57)[0]
        if attributes & COMPRESSION:
            raise ValueError("a compressed batch: this reader knows none")
        if not attributes & CONTROL:
            cursor = Cursor(data, at + BATCH_HEADER)
            records += [record_of(cursor) for _ in range(count)]
        at = end
    return records, at


class Partition:
    """Reads on where it stopped."""

    def __init__(self, folder, topic_id):
        self.folder, self.topic_id, self.passed = folder, topic_id, {}

    def new_records(self):
        records = []
        for segment in sorted(self.folder.glob("*.log")):
            with open(segment, "rb") as file:
                file.seek(self.passed.get(segment.name, 0))
                found, size = records_of(file.read())
            self.passed[segment.name] = self.passed.get(segment.name, 0) + size
            records += found
        return records


class BusReader:
    """Calls `see(topic, topic id, record)` with each new record, in the order of its partition."""

    def __init__(self, data, topics):
        self.data, self.topics, self.partitions = pathlib.Path(data), topics, {}

    def read(self, see):
        for folder in self.data.iterdir():
            topic = folder.name.rpartition("-")[0]
            if topic not in self.topics:
                continue
            try:
                topic_id = (folder / "partition.metadata").read_text()
            except FileNotFoundError:
                continue  # made or deleted just now
            partition = self.partitions.get(folder)
            if partition is None or partition.topic_id != topic_id:
                partition = self.partitions[folder] = Partition(folder, topic_id)
            for record in partition.new_records():
                see(topic, topic_id, record)
