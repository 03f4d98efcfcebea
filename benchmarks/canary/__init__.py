"""A trial's verdict, simulated: its false alarms, and how soon it catches what is bad."""
