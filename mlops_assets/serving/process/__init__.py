"""An endpoint's processes: who starts and ends whom; the first one: `resources.endpoints`."""
