"""Training on more rows than are fitted at once.

Import concrete submodules directly, so that this package stays free of import-time work.
"""
