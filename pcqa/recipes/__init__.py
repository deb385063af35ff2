"""Recipes: model, input, objective, optimiser and length of a run, one TOML file each."""
