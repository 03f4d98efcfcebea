"""The champion when the YAML says something else by now, and how a version becomes it."""
