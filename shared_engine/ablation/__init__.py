"""Ablations: a grid of configurations, run restartably on one machine or many."""
