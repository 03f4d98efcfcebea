"""From the version that serves to the wanted one, or back; a trial between the two."""
