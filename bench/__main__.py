"""`python -m bench`: the figures that need no data of your own.

Others take data: `python -m bench.temporal CLIP...`, `python -m bench.quality_gate PHOTOS`,
`python -m bench.report_page`.
"""

from __future__ import annotations

import sys

from bench import engines, film, job, photos, upsampling


def main() -> int:
    """Run what needs no arguments."""
    engines.main()
    photos.main()
    job.main([])
    film.main([])
    upsampling.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
