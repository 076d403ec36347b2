"""Kernels of numerical fields, written from their definitions with in-place stores and helper functions."""
