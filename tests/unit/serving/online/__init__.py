"""Features by id: cells, rows, moments, and models without an entity."""
