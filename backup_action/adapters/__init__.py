"""Neighbours: one room for each thing outside the process."""
