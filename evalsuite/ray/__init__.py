"""One run over many GPUs and machines: the request loop in Ray actors, one per device (extra
`evalsuite[ray]`).

`worker` is what an actor does, without Ray; `pool` starts, feeds and watches the actors; `cluster` connects
to Ray. The driver (`evalsuite.engine.pool.Driver`) hands out leases, saves what comes back and decides who is
to blame for a death.
"""
