"""Networks that score point clouds."""
