"""What tries and compares: sits above the pipeline and calls it as a function."""
