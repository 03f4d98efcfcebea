"""What goes over the wire: HTTP, requests and refusals. What is computed of them is in `api`."""
