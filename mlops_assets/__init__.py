"""One YAML file per model; from raw data to a live endpoint as Dagster assets.

Importing this package has two side effects, before any library is imported: telemetry is off, and
what the process writes is private. For all else import the concrete module you need.
"""

from mlops_assets.runtime.surroundings import settle
from mlops_assets.runtime.telemetry import turn_telemetry_off

turn_telemetry_off()
settle()
