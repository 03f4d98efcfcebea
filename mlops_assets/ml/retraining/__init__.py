"""Reports, memory and a moment -> whether to train again; `sensors.retraining` asks for the run."""
