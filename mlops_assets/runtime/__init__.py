"""What any process of ours does, whatever its task: files written whole, interrupts heard, secrets and usage kept. Nothing of models."""
