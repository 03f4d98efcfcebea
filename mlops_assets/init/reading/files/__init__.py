"""Files: which they are, opened, a bounded sample; how they are written is said by those above."""
