"""Runs suites that were written for pytest-recording or pytest-vcr: their markers, fixtures, options and hook.

    options     declares what they have on the command line, refuses to run beside them, reads what was given
    style       which of the two a suite was written for
    marks       which tests are theirs, and what their markers say
    fixtures    the fixtures of both; nothing that follows is imported before a test of theirs runs
    recording   the cassette of a test as pytest-recording opens it
    modules     the VCR object of a module and the cassette of a test as pytest-vcr has them
    lazy        a cassette that is read when something first looks into it
    joining     makes such a test one of ours: its owner, its mode, what it may reach

`hookspecs` has the hook of pytest-recording, and `imports` gives `import vcr` our objects. The cassettes themselves are
those of `tapemeter.vcr`.
"""
