"""What is applied to a cluster: objects, manifests, overlays, values."""
