"""A server on loopback by which programs in any language are recorded, replayed, metered and stopped like a test.

A program is given a base URL; what it asks there is asked of the real provider, by a client of ours whose calls belong
to the test, or the job, that the URL names. So there is no second way that a call can go: what holds for a call in
the test's own process holds for one that comes from outside.

    upstreams    which providers there are, by name, and the variables that lead their SDKs here
    tenants      whose call it is: the secret part of a URL that stands for a test or a job
    app          takes a request, asks the provider, passes the answer on as it comes
    refusals     a call that is refused, as an error that the program's SDK understands
    server       the server in a thread of its own
"""
