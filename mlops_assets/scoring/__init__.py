"""Many rows answered at once by the served version: asked, answered, written. No HTTP."""
