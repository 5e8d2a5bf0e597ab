"""From a planned selection to the Program: everything that a template may see."""
