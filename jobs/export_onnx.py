"""`python -m jobs.export_onnx`: the same as `colorize-archive export OUT.onnx`."""

import sys

from colorize_core.cli.export import main

if __name__ == "__main__":
    sys.exit(main())
