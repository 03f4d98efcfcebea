"""A version on trial by pods of its own; how pods are rolled out is `rollout` beside it."""
