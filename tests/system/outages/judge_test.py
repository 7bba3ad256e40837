"""The judge of the outages sees each thing that it is there for."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from bus import Record, records_of  # noqa: E402
from judge import History  # noqa: E402
from load import Command  # noqa: E402
from saffron_process import run_tests  # noqa: E402

THING = "outages:main:Item:a"
COMMANDS, OUTCOMES = "instance_commands", "instance_events"

# One batch of two records as a broker stored it: keys k1 and none, a header n=v in the first.
BATCH = bytes.fromhex(
    "0000000000000000" "00000049" "00000000" "02" "00000000" "0000" "00000001" + "00" * 16
    + "ff" * 8 + "ffff" + "ffffffff" "00000002"
    + "1c" "00" "00" "00" "04" "6b31" "04" "7631" "02" "02" "6e" "02" "76"
    + "10" "00" "00" "02" "01" "04" "7632" "00")


def event(command, number, kind, aggregate=THING):
    topic, word = ((COMMANDS, "UPDATE_INSTANCE_REQUESTED") if kind == "command" else
                   (OUTCOMES, "INSTANCE_UPDATED"))
    return {"event_id": f"{kind} of {command}", "event_type": word, "aggregate_type": "Instance",
            "aggregate_id": aggregate, "sequence_number": number,
            "metadata": {"kind": kind, "command_id": command, "kafka_topic": topic}}


def record(of):
    return Record(of["aggregate_id"], {"event_id": of["event_id"], "event_type": of["event_type"],
                                       "sequence_number": str(of["sequence_number"])})


def told(key, number=None, refused=None):
    command = Command("a", "update")
    command.key, command.number, command.refused = key, number, refused
    return command


WHOLE = [event("c1", 1, "command"), event("c2", 2, "command"), event("c1", 1, "domain"),
         event("c2", 2, "domain")]
SENT = [told("c1", 1), told("c2", 2), told("c3", refused=409)]


class JudgeTest(unittest.TestCase):
    def judged(self, log=None, bus=None, sent=None, again=()):
        history = History()
        for one in WHOLE if log is None else log:
            history.add(one)
        for one in WHOLE if bus is None else bus:
            history.add_record(one["metadata"]["kafka_topic"], "t1", record(one))
        for one in again:
            history.add_record(one["metadata"]["kafka_topic"], "t2", record(one))
        return history.judge(SENT if sent is None else sent)

    def test_a_whole_history_is_clean(self):
        self.assertEqual(self.judged().all(), [])

    def test_what_is_wrong_is_told_once(self):
        history = History()
        for one in [WHOLE[1]]:
            history.add(one)
        self.assertTrue(history.judge([]).reordered)
        self.assertFalse(history.judge([]).reordered)

    def test_an_acknowledged_command_is_missing_in_the_log(self):
        found = self.judged(sent=[told("c9", 3)])
        self.assertEqual((len(found.lost), len(found.doubled)), (1, 0))

    def test_a_command_has_no_outcome(self):
        self.assertEqual(len(self.judged(log=WHOLE[:3]).lost), 1)

    def test_an_event_is_not_on_the_bus(self):
        self.assertEqual(len(self.judged(bus=WHOLE[:3]).lost), 1)

    def test_a_topic_made_again_without_its_events(self):
        self.assertEqual(len(self.judged(again=[WHOLE[0]]).lost), 1)
        self.assertEqual(self.judged(again=WHOLE).all(), [])

    def test_a_command_is_in_the_log_twice(self):
        self.assertTrue(self.judged(log=WHOLE + [event("c1", 3, "command")]).doubled)

    def test_a_command_has_two_outcomes(self):
        self.assertTrue(self.judged(log=WHOLE + [event("c1", 3, "domain")]).doubled)

    def test_a_command_has_another_number_than_was_told(self):
        self.assertTrue(self.judged(sent=[told("c1", 2)]).doubled)

    def test_a_refused_command_is_in_the_log(self):
        self.assertTrue(self.judged(sent=[told("c2", refused=409)]).doubled)

    def test_numbers_of_the_log_go_back_or_have_a_hole(self):
        for log in ([WHOLE[1], WHOLE[0]], [WHOLE[0], event("c2", 3, "command")],
                    [WHOLE[0], event("c2", 1, "command")]):
            self.assertTrue(self.judged(log=log).reordered)

    def test_an_outcome_stands_before_its_command(self):
        self.assertTrue(self.judged(log=[WHOLE[2], WHOLE[0]]).reordered)

    def test_repetitions_on_the_bus_are_no_fault_and_holes_are(self):
        self.assertEqual(self.judged(bus=WHOLE + WHOLE).all(), [])
        self.assertTrue(self.judged(bus=[WHOLE[1], WHOLE[0]] + WHOLE[2:]).reordered)

    def test_the_brokers_files_are_read(self):
        records, size = records_of(BATCH + BATCH[:30])
        self.assertEqual(size, len(BATCH))
        self.assertEqual([(one.key, one.headers) for one in records],
                         [("k1", {"n": "v"}), ("", {})])


if __name__ == "__main__":
    run_tests()
