"""Nouns: pure values and decisions. No files, network, clock or environment here."""
