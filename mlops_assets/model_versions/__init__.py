"""A version between registry and endpoint: judged, described, packed; `assets` call it."""
