"""Recipes for tables of features."""
