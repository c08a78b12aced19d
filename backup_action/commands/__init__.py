"""Verbs: one room for each command."""
