"""The local disk: `scan` finds what there is, `read` gets the bytes of one file at one moment."""
