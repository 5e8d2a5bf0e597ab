"""What a run found out: the record, how it is shown, and how two of them are compared."""
