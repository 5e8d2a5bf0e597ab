"""Numbers and what they are: timing models per core, accuracy, agreement with a reference."""
