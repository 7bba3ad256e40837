"""What a power cut may leave of a directory, from the journal that write_journal.cc kept.

Kept is what was synced. Of what was not, each file keeps a prefix of its changes, another one in
each file, the last write torn between two sectors; each directory keeps a prefix of the changes to
its names. A file system orders more than that; no more is trusted here."""
import os
import struct

RECORD = struct.Struct("<IIQQQQ")
CREATE, LINK, UNLINK, RENAME, WRITE, TRUNCATE, EXTEND, SYNC, SYNC_ALL = range(1, 10)
SECTOR = 512


class Inode:
    def __init__(self, is_directory):
        self.is_directory = is_directory
        self.changes = []  # (place in the journal, operation, argument, argument)
        self.synced = 0    # changes before this place are on the disk


def read_journal(path):
    """(place, end, operation, a, b, c, name, data) of each whole record."""
    with open(path, "rb") as file:
        journal = file.read()
    records, at = [], 0
    while at + RECORD.size <= len(journal):
        operation, name_bytes, a, b, c, data_bytes = RECORD.unpack_from(journal, at)
        name_at = at + RECORD.size
        end = name_at + name_bytes + data_bytes
        if end > len(journal):
            break
        records.append((at, end, operation, a, b, c, journal[name_at:name_at + name_bytes].decode(),
                        journal[name_at + name_bytes:end]))
        at = end
    return records


def replay(records, cut):
    """The root as it was at the cut: every inode with its changes and what of them is synced."""
    inodes, root = {}, None
    for at, end, operation, a, b, c, name, data in records:
        if end > cut:
            break
        if operation == CREATE:
            inodes[b] = Inode(c == 1)
            root = root or inodes[b]
        if operation in (CREATE, LINK) and a:
            inodes[a].changes.append((at, LINK, name, inodes[b]))
        elif operation == UNLINK:
            inodes[a].changes.append((at, UNLINK, name, None))
        elif operation == RENAME:
            old, new = name.split("\0")
            if a == b:
                inodes[a].changes.append((at, RENAME, (old, new), inodes[c]))
            else:
                inodes[a].changes.append((at, UNLINK, old, None))
                inodes[b].changes.append((at, LINK, new, inodes[c]))
        elif operation == WRITE:
            inodes[a].changes.append((at, WRITE, b, data))
        elif operation in (TRUNCATE, EXTEND):
            inodes[a].changes.append((at, operation, b, None))
        elif operation == SYNC:
            inodes[a].synced = max(inodes[a].synced, b)
        elif operation == SYNC_ALL:
            for inode in inodes.values():
                inode.synced = max(inode.synced, b)
    return root


def keep_everything(_inode, unsynced):
    return unsynced


class Chance:
    """What is left of the changes of one inode that were not synced."""

    def __init__(self, random):
        self.random = random
        self.nothing = random.random() < 0.25  # of a whole cut: no file keeps any of it

    def __call__(self, inode, unsynced):
        draw = self.random.random()
        if self.nothing or not unsynced or draw < 0.3:
            return []
        if draw < 0.5:
            return unsynced
        count = self.random.randrange(len(unsynced))
        kept, torn = unsynced[:count], unsynced[count]
        if torn[1] == WRITE:
            at, _, offset, data = torn
            # Up to a sector of the disk, so not of the write.
            whole = self.random.randrange(len(data) // SECTOR + 1) * SECTOR - offset % SECTOR
            if whole > 0:
                kept = kept + [(at, WRITE, offset, data[:whole])]
        return kept


def surviving(inode, keep):
    synced = [change for change in inode.changes if change[0] < inode.synced]
    return synced + keep(inode, inode.changes[len(synced):])


def content_of(inode, keep):
    content = bytearray()
    for _, operation, place, data in surviving(inode, keep):
        if operation == WRITE:
            if len(content) < place:
                content.extend(bytes(place - len(content)))
            content[place:place + len(data)] = data
        else:
            if len(content) < place:
                content.extend(bytes(place - len(content)))
            if operation == TRUNCATE:
                del content[place:]
    return content


def names_of(inode, keep):
    names = {}
    for _, operation, name, child in surviving(inode, keep):
        if operation == LINK:
            names[name] = child
        elif operation == UNLINK:
            names.pop(name, None)
        else:
            names.pop(name[0], None)
            names[name[1]] = child
    return names


def rebuild(inode, path, keep):
    """Writes what survived to `path`, which does not exist."""
    os.mkdir(path)
    for name, child in names_of(inode, keep).items():
        if child.is_directory:
            rebuild(child, os.path.join(path, name), keep)
        elif not name.endswith("-shm"):  # shared memory of SQLite, made anew by who opens first
            with open(os.path.join(path, name), "wb") as file:
                file.write(content_of(child, keep))
