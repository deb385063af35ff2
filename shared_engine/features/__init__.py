"""Tables of features as a modality: stimuli are rows, and models see numbers that something else computed."""
