"""Kernels of all operators that only move elements."""
