"""Compression: a graph in, a smaller one out. What is gained lies in the weights and shapes alone, see `steps`."""
