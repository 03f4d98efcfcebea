"""Named asset selections, and the schedules that launch them."""
