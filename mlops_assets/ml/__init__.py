"""Dagster-free, brand-free functions: frames and settings in, frames or plain values out."""
