"""Training, evaluation, statistics and run folders, shared by all modalities."""
