"""Public tools for testing against the server: a simulated process, a protocol client.

What ``trio.testing`` is to trio. See `pydbgserver.testing.sim` for a whole
debuggee without an OS and `pydbgserver.testing.client` for a small client.
"""
