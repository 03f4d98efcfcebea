"""What tests and benchmarks share: fakes, servers, small projects, misbehaving clients.

Tests are elsewhere.
"""
