import pytest


@pytest.mark.parametrize("n", [1, 2])
def test_sum(n):
    assert sum([n, n]) == 2 * n
