"""Stands in for setuptools where a source distribution of the lock becomes a wheel; `build_meta` does it.

pip looks for a module of this name (PEP 517's fallback for packages without a pyproject.toml). It is on the path of
pip's build processes only, and never installed.
"""
