"""Image quality models, metrics and distortions."""
