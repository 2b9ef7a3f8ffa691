"""Cassettes: the file, what is in it, and which recording answers which request."""
