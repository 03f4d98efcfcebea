"""Tables from files and databases, of every format, as one frame or in parts."""
