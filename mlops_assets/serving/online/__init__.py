"""Features by entity id, from Feast's online store.

Publishing them is in `resources.feature_store`.
"""
