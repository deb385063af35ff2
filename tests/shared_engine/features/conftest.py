from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def table(tmp_path) -> Path:
    """80 rows of 16 contents, 16 of them for testing; the target is linear in three of four features.

    Features lie on very different scales, one is constant, and a column holds words.
    """
    rng = np.random.default_rng(0)
    lines = ["path,target,content,target_std,split,f_1,f_2,f_3,f_4,always,camera"]
    for i in range(80):
        a, b, c, d = rng.normal(size=4)
        target = a - 2 * b + 0.5 * c + rng.normal(0, 0.2)
        part = "test" if i % 16 < 4 else "train"
        lines.append(f"row {i}.ply,{target:.4f},c{i % 16},0.3,{part},{1e4 * a},{1e-3 * b + 1},{c},{d},7,left")
    path = tmp_path / "features.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
