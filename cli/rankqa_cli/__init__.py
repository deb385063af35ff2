"""The `rankqa` command line."""
