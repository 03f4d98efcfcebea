"""Features by entity id, from Feast's online store; `resources.feature_store` publishes them."""
