"""What may be wrong with what a person gave: an address, a value of the target, a moment."""
