"""Logged predictions -> drift, performance and skew by window; reading them: `monitoring`."""
