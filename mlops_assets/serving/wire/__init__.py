"""HTTP, requests and refusals, read and written; the other side: `resources.endpoints.client`."""
