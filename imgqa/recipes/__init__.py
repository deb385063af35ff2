"""Recipes of image models; each TOML file is one."""
