"""Full-reference image metrics."""
