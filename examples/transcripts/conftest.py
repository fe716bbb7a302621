"""Every transcript in this directory is a test of the server that pytest.ini names."""

pytest_plugins = ["pydbgserver.testing.plugin"]
