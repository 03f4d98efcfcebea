"""Held-out rows and fitted models -> metrics and a verdict, which `model_versions` keeps."""
