"""Quality of coloured point clouds: reading, operators, projections, models, metrics, distortions."""

import os

# numba's first choice, TBB, warns at the first parallel loop where Open3D has brought an old one along.
os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp workqueue tbb")
