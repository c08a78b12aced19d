"""XML as OSS writes and reads it: no namespace, no attributes, no mixed content.

In a normal answer a character that XML 1.0 forbids is written as a reference, which parsers refuse: that is why OSS
has `encoding-type=url`. An error answer must stay readable, so there (`lenient`) it becomes U+FFFD.
"""

from __future__ import annotations

import re
from urllib.parse import quote
from xml.etree import ElementTree as Tree

from .moment import iso

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_FORBIDDEN_REFERENCE = re.compile("&#([0-9]+);")
_PLAIN_REFERENCE = "13"


def text(value: str) -> str:
    """`value` with everything escaped that would end or spoil an element."""
    if not _SPECIAL.search(value):
        return value
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0]) or f"&#{ord(match[0])};", value)


def element(name: str, value: str | int | float | bool) -> str:
    """One element with text; a bool is `true` or `false`, a float a moment in seconds since 1970."""
    if isinstance(value, bool):
        return f"<{name}>{'true' if value else 'false'}</{name}>"
    if isinstance(value, float):
        return f"<{name}>{iso(value)}</{name}>"
    return f"<{name}>{text(str(value))}</{name}>"


def document(root: str, inner: str, *, lenient: bool = False) -> bytes:
    """A whole document; `inner` is made of `element`s."""
    if lenient:
        inner = _FORBIDDEN_REFERENCE.sub(lambda match: match[0] if match[1] == _PLAIN_REFERENCE else "\ufffd", inner)
    return f"{_HEAD}<{root}>{inner}</{root}>".encode()


def url(value: str, *, encode: bool) -> str:
    """`value`, percent-encoded (the slash too) if the request said `encoding-type=url`."""
    return quote(value, safe="") if encode else value


def parse(body: bytes, root: str) -> Tree.Element:
    """The document's root; ValueError if it is not well-formed, has another root, or declares entities."""
    if b"<!" in body:
        raise ValueError("declarations are refused")
    try:
        tree = Tree.fromstring(body)  # noqa: S314  (no declarations, so no entities to expand)
    except Tree.ParseError as error:
        raise ValueError(str(error)) from error
    for node in tree.iter():
        node.tag = node.tag.rpartition("}")[2]
    if tree.tag != root:
        raise ValueError(f"the root is {tree.tag}, not {root}")
    return tree
