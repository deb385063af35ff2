from itertools import combinations

import numpy as np
import pytest

from shared_engine.holm import holm


def closed_test(p):
    """Each hypothesis: the largest Bonferroni p of all families that contain it, from which Holm's is derived."""
    families = [f for size in range(1, len(p) + 1) for f in combinations(range(len(p)), size)]
    return [max(min(1, len(f) * min(p[j] for j in f)) for f in families if i in f) for i in range(len(p))]


def test_published_example():
    # As printed by p.adjust of R for these values.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_equals_the_closed_test():
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 7):
        p = rng.random(size) ** 3
        assert holm(p) == pytest.approx(closed_test(p))


def test_ties_one_and_none():
    assert holm([0.03, 0.03]) == pytest.approx([0.06, 0.06])
    assert holm([1.0, 0.9]).tolist() == [1.0, 1.0]
    assert holm([]).shape == (0,)
