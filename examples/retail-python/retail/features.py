"""What a till row says about itself, and what is predicted from it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retail.names import CATEGORIES

# What SPEND and QUANTITY are turned into, see numbers().
NUMBERS = ("spend", "quantity", "log_unit_price", "log_quantity", "log_unit_price*log_quantity")


@dataclass(frozen=True, slots=True)
class Features:
    """One till row as far as a prediction may look at it.

    categories are the values of CATEGORIES in their order, spend is in pounds and
    at least 0, quantity counts items and is at least 1.
    """

    categories: tuple[str, ...]
    spend: float
    quantity: float


def numbers(row: Features) -> tuple[float, ...]:
    """The numbers of NUMBERS, before scaling.

    Prices differ by factors, so their logarithm is what a linear model can use; a
    unit price below a penny counts as a penny.
    """
    quantity = max(row.quantity, 1.0)
    unit = math.log(max(row.spend / quantity, 0.01))
    many = math.log(quantity)
    return (row.spend, quantity, unit, many, unit * many)


def arrays(rows: Iterable[Features]) -> tuple[NDArray[np.object_], NDArray[np.float32]]:
    """The model's two inputs: categories of shape (n, 6), and numbers of shape (n, 5)."""
    rows = list(rows)
    categories = np.array([r.categories for r in rows], dtype=object).reshape(len(rows), len(CATEGORIES))
    values = np.array([numbers(r) for r in rows], dtype=np.float32).reshape(len(rows), len(NUMBERS))
    return categories, values
