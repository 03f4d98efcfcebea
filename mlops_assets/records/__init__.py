"""What one stage hands to the next besides frames: small frozen records, stored as JSON."""
