#!/usr/bin/env python3
"""Prints an answer of the API, read from standard input, in few lines: demo_view.py KIND

answer      a write's answer with its status below it, as `curl -w '\\n%{http_code}'` prints them
events      the history of an aggregate, a line an event
number      the current sequence number of an aggregate
searchable  nothing; exit 0 if the search index has the whole log, by `saffron status --json`
"""
import json
import sys

WIDTH = 100


def answer(text):
    body, _, status = text.rpartition("\n")
    found = json.loads(body)
    found = found.get("detail", found) if isinstance(found.get("detail"), dict) else found
    names = ("error", "status", "command_id", "sequence_number", "expected_seq", "actual_seq")
    shown = [f"{name}: {found[name]}" for name in names if found.get(name) is not None]
    print(f"HTTP {status}  " + "  ".join(shown))


def events(text):
    for entry in json.loads(text)["data"]["events"]:
        event = entry["event"]
        print(f"{entry['position']:>9}  n={event['sequence_number']}  {event['event_type']:26}"
              f"{event['occurred_at']}  by {event['actor']}")
        data = json.dumps(event["data"].get("document", event["data"]))
        print(" " * 11 + (data if len(data) < WIDTH - 11 else data[:WIDTH - 14] + "..."))


def number(text):
    print(json.loads(text)["data"]["sequence_number"])


def searchable(text):
    sys.exit(0 if json.loads(text)["search"]["lag_slots"] == 0 else 1)


if __name__ == "__main__":
    {"answer": answer, "events": events, "number": number,
     "searchable": searchable}[sys.argv[1]](sys.stdin.read())
