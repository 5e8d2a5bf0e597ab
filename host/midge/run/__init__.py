"""Where a model runs, one runner per file, and the serial protocol that boards and emulators share."""
