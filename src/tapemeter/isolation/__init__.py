"""Guards beyond the sockets of this process: its Python children and native clients, or the whole session's network.

Nothing of this is imported unless `--llm-network-guard` asks for it. `process` is what `processes` puts together:
`children` and `inherited` carry the guard into Python child processes, `programs` and `native` know by name what uses
the network without Python's sockets. `namespace` moves the whole process where there is no network.
"""
