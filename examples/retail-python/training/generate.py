"""Writes till rows with a planted signal as CSV.

A basket has a class, and for each item its shopper takes from the department's
shelf the product whose price is nearest to

    usual price of the department * exp(0.7 * (class - MM) + noise),  noise ~ N(0, 0.23)

so LA pays about half and UM about twice the usual price per unit. Weaker hints: the
shares of the classes by region, value departments with LA and delicacies with UM,
smaller baskets with UM. 2 in 100 baskets are bought at the price level of a class
drawn at random. The same rows and seed write the same bytes; shops, shelves and
customers do not depend on the seed, which draws the visits only.
"""

import argparse
import csv
import io
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retail.names import CLASSES
from training.columns import HEADER
from training.files import write

WORLD_SEED = 200607
STORES, CUSTOMERS, DEPARTMENTS, GROUPS, DIVISIONS = 60, 1500, 60, 24, 8
SHELF_STEPS, SHELF_STEP = 17, 0.2  # one thing at 17 prices, 0.2 apart in natural log
TIER_STEP, TIER_NOISE = 0.7, 0.23
ODD_BASKETS, LOYAL, ANONYMOUS = 0.02, 0.6, 0.2
FIRST_BASKET = 994_100_100_000_000
REGIONS = [side + number for side in "ENSW" for number in ("01", "02", "03")]


@dataclass(frozen=True)
class Product:
    code: str
    code10: str
    pence: int


@dataclass(frozen=True)
class Department:
    code20: str
    code30: str
    code40: str
    shelf: list[Product]  # cheapest first


@dataclass(frozen=True)
class Store:
    code: str
    form: str
    region: str


@dataclass(frozen=True)
class Customer:
    code: str
    lifestage: str
    tier: int
    store: Store


def draw(rng: random.Random, weights: Sequence[float]) -> int:
    """An index, with a chance in proportion to its weight."""
    return rng.choices(range(len(weights)), weights)[0]


def shares(region: str) -> tuple[float, float, float]:
    """Shares of LA, MM and UM: poorer in the north, richer in the south."""
    return {"N": (0.33, 0.45, 0.22), "S": (0.18, 0.46, 0.36)}.get(region[0], (0.25, 0.46, 0.29))


def department_weights(tier: int) -> list[float]:
    """One department in five sells value ranges, twice as likely with LA; one delicacies, with UM."""
    liked = {0: 0, 2: 1}.get(tier)
    return [(2.0 if i % 5 == liked else 1.0) / (3 + i % 17) for i in range(DEPARTMENTS)]


class World:
    """What stays the same from week to week."""

    def __init__(self) -> None:
        rng = random.Random(WORLD_SEED)
        forms = ("LS", "MS", "SS", "XLS")
        self.stores = [
            Store(f"STORE{i + 1:05d}", forms[draw(rng, (0.62, 0.2, 0.08, 0.1))], REGIONS[i % len(REGIONS)]) for i in range(STORES)
        ]
        self.customers = [self._customer(rng, i) for i in range(CUSTOMERS)]
        self.departments = [self._department(rng, i) for i in range(DEPARTMENTS)]
        self.liked = [department_weights(tier) for tier in range(len(CLASSES))]

    def _customer(self, rng: random.Random, i: int) -> Customer:
        home = rng.choice(self.stores)
        lifestage = rng.choice(("OT", "YF", "YA", "OA", "PE", "OF", ""))
        return Customer(f"CUST{1000 + 37 * i:010d}", lifestage, draw(rng, shares(home.region)), home)

    def _department(self, rng: random.Random, i: int) -> Department:
        usual = math.exp(rng.gauss(0, 0.5)) * 1.6  # pounds
        group = i % GROUPS
        shelf = [
            Product(
                f"PRD{900001 + i * SHELF_STEPS + s:07d}",
                f"CL{1 + i * 3 + s % 3:05d}",
                max(1, round(100 * usual * math.exp(SHELF_STEP * (s - SHELF_STEPS // 2)))),
            )
            for s in range(SHELF_STEPS)
        ]
        return Department(f"DEP{i + 1:05d}", f"G{group + 1:05d}", f"D{group % DIVISIONS + 1:05d}", shelf)


class Generator:
    """Draws visits to tills."""

    def __init__(self, seed: int) -> None:
        self.world = World()
        self.rng = random.Random(seed)
        self.baskets = 0

    def rows(self, count: int) -> Iterator[dict[str, str]]:
        """So many rows, by column; the last basket may be cut off."""
        while count > 0:
            for row in self._basket(count):
                yield row
                count -= 1

    def _basket(self, limit: int) -> Iterator[dict[str, str]]:
        rng = self.rng
        who = rng.choice(self.world.customers)
        known = rng.random() >= ANONYMOUS
        tier = who.tier if rng.random() < LOYAL else draw(rng, shares(who.store.region))
        size = "LMS"[draw(rng, (0.32, 0.38, 0.3) if tier == 2 else (0.42, 0.36, 0.22))]
        kind, items = self._trip(size)
        common = self._stamp() | {
            "BASKET_SIZE": size,
            "BASKET_TYPE": kind,
            "BASKET_DOMINANT_MISSION": ("Fresh", "Mixed", "Grocery", "Nonfood")[draw(rng, (0.52, 0.36, 0.1, 0.02))],
            "BASKET_PRICE_SENSITIVITY": CLASSES[tier],
            "STORE_CODE": who.store.code,
            "STORE_FORMAT": who.store.form,
            "STORE_REGION": who.store.region,
            "CUST_CODE": who.code if known else "",
            "CUST_PRICE_SENSITIVITY": CLASSES[who.tier] if known else "",
            "CUST_LIFESTAGE": who.lifestage if known else "",
        }
        bought_as = rng.randrange(len(CLASSES)) if rng.random() < ODD_BASKETS else tier
        for _ in range(min(items, limit)):
            yield common | self._item(tier, bought_as)

    def _trip(self, size: str) -> tuple[str, int]:
        if size == "L":
            return ("Full Shop", "Top Up")[draw(self.rng, (0.6, 0.4))], 8 + self.rng.randrange(13)
        if size == "M":
            return ("Top Up", "Small Shop")[draw(self.rng, (0.7, 0.3))], 3 + self.rng.randrange(5)
        return "Small Shop", 1 + self.rng.randrange(2)

    def _stamp(self) -> dict[str, str]:
        """Week 200607 is Monday 2006-04-10 to Sunday 16."""
        day = self.rng.randrange(7)
        self.baskets += 1
        return {
            "SHOP_WEEK": "200607",
            "SHOP_DATE": str(20060410 + day),
            "SHOP_WEEKDAY": str((day + 1) % 7 + 1),
            "SHOP_HOUR": str(8 + self.rng.randrange(14)),
            "BASKET_ID": str(FIRST_BASKET + self.baskets - 1),
        }

    def _item(self, tier: int, bought_as: int) -> dict[str, str]:
        department = self.world.departments[draw(self.rng, self.world.liked[tier])]
        wanted = TIER_STEP * (bought_as - 1) + self.rng.gauss(0, TIER_NOISE)
        step = SHELF_STEPS // 2 + round(wanted / SHELF_STEP)
        product = department.shelf[min(max(step, 0), SHELF_STEPS - 1)]
        quantity = (1, 2, 3, 4, 6)[draw(self.rng, (0.8, 0.1, 0.06, 0.03, 0.01))]
        pence = product.pence * quantity
        return {
            "QUANTITY": str(quantity),
            "SPEND": f"{pence // 100}.{pence % 100:02d}",
            "PROD_CODE": product.code,
            "PROD_CODE_10": product.code10,
            "PROD_CODE_20": department.code20,
            "PROD_CODE_30": department.code30,
            "PROD_CODE_40": department.code40,
        }


def generate(rows: int, seed: int) -> str:
    """The CSV's text, with lines that end in CRLF as the original's do."""
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, HEADER)
    table.writeheader()
    table.writerows(Generator(seed).rows(rows))
    return out.getvalue()


def main(args: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="generate", description="write till rows with a planted signal")
    parser.add_argument("--rows", type=int, default=16_000)
    parser.add_argument("--seed", type=int, default=1, help="the same seed and rows write the same file")
    parser.add_argument("--out", default="data/transactions.csv")
    given = parser.parse_args(args)
    if given.rows < 1:
        parser.error("--rows must be at least 1")
    write(given.out, generate(given.rows, given.seed).encode())
    print(f"wrote {given.rows} generated rows (seed {given.seed}) to {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
