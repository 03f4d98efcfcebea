"""What a part of your own must pass to be used here: checks to call from your own tests.

Nothing of the product imports this.
"""
