"""The product with one line broken at a time, to see that the tests notice: `make mutants`.

The lists are the YAML files here, one for each floor or room. What breaks a promise over a whole
history, by patching, is `tests.worlds.mutants`.
"""
