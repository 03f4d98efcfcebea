"""Values that a column of any world may hold: ids, names, moments, zones."""
