"""Reads the recordings of other tools, turns them into cassettes, and writes what others read. See `tape`."""
