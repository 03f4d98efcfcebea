"""What goes over the wire: HTTP, requests and refusals, read and written.

What is computed of them is in `serving.api`; the deployer's side is in
`resources.endpoints.client`.
"""
