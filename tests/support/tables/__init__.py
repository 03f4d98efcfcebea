"""Tables, rules and YAML as strangers have them, and what engines make of them; no model."""
