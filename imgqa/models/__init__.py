"""Image quality models; each file holds one and is imported by name when it is asked for."""
