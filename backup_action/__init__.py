"""Backs paths up to Alibaba Cloud OSS, incrementally and verified, with no stored key."""

__version__ = "0.1.0"
