"""The verb `init`, and how what it infers becomes a file of the project."""
