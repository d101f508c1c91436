import unittest

from app.routes import scoring


class Scoring(unittest.TestCase):
    def test_mean(self):
        self.assertEqual(scoring.post("/predict", b'{"features": [1, 3]}')[1]["prediction"], 2)
