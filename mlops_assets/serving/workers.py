"""What a supervisor of an earlier release starts: `process.workers`, as it is now."""

from mlops_assets.serving.process.workers import main

if __name__ == "__main__":
    main()
