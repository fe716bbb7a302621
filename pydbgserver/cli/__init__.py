"""The command lines: gdbserver's, lldb-server's, and what is ours."""
