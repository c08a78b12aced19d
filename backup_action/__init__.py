"""Backs paths up to Alibaba Cloud OSS, incrementally and verified, with no stored key."""

__version__ = "0.1.0"

IMPORTED_LATER = (
    "actions_toolkit.command",
    "actions_toolkit.file_command",
    "alibabacloud_sts20150401.models",
    "cryptography.exceptions",
    "cryptography.hazmat.primitives.ciphers.aead",
    "pyfastcdc.cy.fastcdc",
    "jwt",
    "oss2",
    "pathspec",
    "requests",
    "tenacity",
)
"""What the program imports when it is needed, and not before: whoever makes an environment proves that it is there."""
