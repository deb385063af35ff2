"""Features of clouds for regressors: sets of named numbers, with or without a reference."""
