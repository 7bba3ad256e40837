#!/usr/bin/env python3
"""Writes a logistics data set: generate.py ORDERS FOLDER

ORDERS orders with what belongs to them, about four rows an order, as one CSV file a class,
named and headed as `saffron load --ontology examples/logistics/ontology.json` expects. The same
size gives the same bytes; every reference points at a row that is there.
"""
import csv
import datetime
import pathlib
import random
import sys

CITIES = ["Rotterdam", "Incheon", "Hamburg", "Osaka", "Lyon", "Turin", "Memphis"]
COUNTRIES = ["DE", "FR", "IT", "JP", "KR", "NL", "US"]
CATEGORIES = ["coffee", "tea", "kitchen", "garden", "books", "toys", "outdoor"]
THINGS = ["kettle", "grinder", "lantern", "atlas", "kite", "spade", "teapot", "mug", "tent"]
QUALITIES = ["small", "large", "folding", "enamel", "wooden", "steel", "travel", "classic"]
COLORS = ["black", "white", "red", "blue", "green", "sand"]
NAMES = ["Ada", "Bruno", "Chiyo", "Dalia", "Emil", "Farah", "Goro", "Hana", "Ivo", "Jun"]
FAMILIES = ["Moreau", "Kim", "Tanaka", "Rossi", "Schmidt", "de Vries", "Okafor", "Silva"]
CARRIERS = ["Hermes", "Sagawa", "PostNL", "Lotte"]
REASONS = ["damaged", "wrong_item", "changed_mind"]
START = datetime.datetime(2025, 1, 1, 8, 0)


class Table:
    """One CSV file."""

    def __init__(self, folder, name, columns):
        self.file = open(folder / f"{name}.csv", "w", newline="", encoding="utf-8")
        self.writer = csv.writer(self.file, lineterminator="\n")
        self.writer.writerow(columns)
        self.rows = 0

    def add(self, *values):
        self.writer.writerow(values)
        self.rows += 1


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def write_masters(rng, tables, orders):
    """Warehouses, customers, products and SKUs; returns the number of each."""
    warehouses = min(len(CITIES), 2 + orders // 500)
    for i in range(warehouses):
        tables["Warehouse"].add(f"WH-{i + 1}", CITIES[i], 500 + 250 * i)
    customers = max(3, orders // 8)
    for i in range(customers):
        name = f"{rng.choice(NAMES)} {rng.choice(FAMILIES)}"
        since = START - datetime.timedelta(days=rng.randrange(2000))
        tier = rng.choice(["", "", "silver", "gold"])
        tables["Customer"].add(f"CUS-{i + 1:06}", name, rng.choice(COUNTRIES), tier, since.date())
    products = max(4, orders // 20)
    prices = []
    for i in range(products):
        product = f"PRD-{i + 1:05}"
        name = f"{rng.choice(QUALITIES)} {rng.choice(THINGS)}"
        hazardous = rng.choice(["", "", "", "true"])
        tables["Product"].add(product, name, rng.choice(CATEGORIES), hazardous)
        for color in rng.sample(COLORS, rng.randrange(1, 4)):
            prices.append(rng.randrange(300, 20000) / 100)
            tables["Sku"].add(f"SKU-{len(prices):06}", color, rng.randrange(20, 20000),
                              f"{prices[-1]:.2f}", product)
    return warehouses, customers, prices


def write_order(rng, tables, number, masters):
    warehouses, customers, prices = masters
    order = f"ORD-{number:08}"
    ordered = START + datetime.timedelta(minutes=7 * number + rng.randrange(7))
    status = rng.choices(["open", "shipped", "delivered", "returned"], [2, 2, 5, 1])[0]
    total = 0.0
    lines = rng.randrange(1, 4)
    for line in range(1, lines + 1):
        sku, quantity = rng.randrange(len(prices)), rng.randrange(1, 6)
        total += prices[sku] * quantity
        tables["OrderItem"].add(order, line, quantity, order, f"SKU-{sku + 1:06}")
    note = rng.choice(["", "", "", 'leave at the door, "blue" one', "ring twice"])
    customer = f"CUS-{rng.randrange(customers) + 1:06}"
    tables["Order"].add(order, stamp(ordered), status, f"{total:.2f}", note, customer)
    warehouse = f"WH-{rng.randrange(warehouses) + 1}"
    if status != "open":
        shipped = ordered + datetime.timedelta(hours=rng.randrange(1, 48))
        delivered = shipped + datetime.timedelta(days=rng.randrange(1, 9))
        tables["Shipment"].add(f"SHP-{number:08}", stamp(shipped), rng.choice(CARRIERS),
                               f"SF{number:09}", delivered.date() if status != "shipped" else "",
                               order, warehouse)
    if status == "returned":
        returned = ordered + datetime.timedelta(days=rng.randrange(10, 30))
        items = ";".join(f"{order}.{line}" for line in range(1, rng.randrange(1, lines + 1) + 1))
        tables["Return"].add(f"RET-{number:08}", stamp(returned), rng.choice(CARRIERS),
                             rng.choice(REASONS), rng.choice(["true", "false"]), order, warehouse,
                             items)


def generate(orders, folder):
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20250101)
    movement = ["movement_id", "moved_at", "carrier"]
    tables = {name: Table(folder, name, columns) for name, columns in {
        "Customer": ["customer_id", "name", "country", "tier", "since"],
        "Product": ["product_id", "name", "category", "hazardous"],
        "Sku": ["sku_id", "color", "weight_g", "price", "variant_of"],
        "Warehouse": ["warehouse_id", "city", "capacity_pallets"],
        "Order": ["order_id", "ordered_at", "status", "total", "note", "placed_by"],
        "OrderItem": ["order_id", "line", "quantity", "item_of", "sku"],
        "Shipment": movement + ["tracking_number", "delivered_on", "order", "warehouse"],
        "Return": movement + ["reason", "refunded", "order", "warehouse", "returned_items"],
    }.items()}
    masters = write_masters(rng, tables, orders)
    for number in range(1, orders + 1):
        write_order(rng, tables, number, masters)
    for table in tables.values():
        table.file.close()
    return {name: table.rows for name, table in tables.items()}


def main():
    if len(sys.argv) != 3 or not sys.argv[1].isdigit() or int(sys.argv[1]) < 1:
        sys.exit(__doc__.strip())
    counts = generate(int(sys.argv[1]), pathlib.Path(sys.argv[2]))
    print(f"{sum(counts.values())} rows in {sys.argv[2]}: "
          + ", ".join(f"{rows} {name}" for name, rows in counts.items()))


if __name__ == "__main__":
    main()
