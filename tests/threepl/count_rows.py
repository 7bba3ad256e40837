"""Prints "FILE ROWS" for each CSV file of a folder, by Python's csv module."""
import csv
import pathlib
import sys

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.csv")):
    with open(path, newline="", encoding="utf-8") as file:
        print(path.name, sum(1 for _ in csv.DictReader(file)))
