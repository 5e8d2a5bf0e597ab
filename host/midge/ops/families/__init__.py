"""What operators of one idea share: an operator of a family states only what it alone knows, and has no kernel."""
