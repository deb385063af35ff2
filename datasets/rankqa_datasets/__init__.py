"""Manifests, splits, the decode cache and the demo sets. Nothing here imports torch."""
