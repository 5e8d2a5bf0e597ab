"""Arithmetic that firmware/nn mirrors in C; tests hold the two equal."""
