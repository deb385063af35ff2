"""Grids that ship with rankqa."""
