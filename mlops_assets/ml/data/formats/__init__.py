"""Files of each format -> tables, strictly; what their values mean is for the modules above."""
