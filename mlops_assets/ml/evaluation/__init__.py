"""What held-out rows say of a fitted model, and whether it may replace another.

What live rows say is in `monitoring`.
"""
