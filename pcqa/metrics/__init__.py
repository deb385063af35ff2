"""Full-reference metrics of point clouds, one a file."""
