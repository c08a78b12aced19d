"""OSS: signatures, the transfer of data, and everything around it."""
