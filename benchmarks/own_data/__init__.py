"""What `mlops init` makes of tables of one's own, beside a plain scikit-learn script."""
