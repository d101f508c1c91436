import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from core.train_model import fit


class Fit(unittest.TestCase):
    def test_limits_ascend(self):
        limits = fit([3, 1, 2, 6, 5, 4])
        self.assertEqual(limits, sorted(limits))
