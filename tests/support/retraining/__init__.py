"""The retraining sensor and what it decides by: reports, policies, years of labelled rows."""
