"""Coloured point-cloud quality: reading, neighbour search, projections, networks and metrics."""
