"""Neighbour search and sampling on batches of points, in torch alone: deterministic, with bounded memory."""

from pcqa.ops.ball_query import ball_query
from pcqa.ops.farthest_points import farthest_points
from pcqa.ops.knn import knn

__all__ = ["ball_query", "farthest_points", "knn"]
