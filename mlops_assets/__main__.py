"""The command `mlops`; what it does is in `mlops_assets.cli`.

Ctrl-C while Python still imports that, for a second, is an end like any other.
"""

import sys


def main() -> int:
    """Run the command line; its exit code, 130 when it was interrupted."""
    try:
        from mlops_assets.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("canceled before anything was done\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
