"""Other libraries beside ours, for `benchmarks.versus_peers`.

`exchange` writes the data and talks to a peer's process; `sides` gives ours and theirs one interface. `answering` and the
`*_run` scripts run inside a peer's own Python, and import nothing of ours.
"""
