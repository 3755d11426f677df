"""`python -m bench`: the figures that need no data of your own.

`python -m bench.scale` makes many files, `python -m bench.gpu` needs a GPU. Others take data:
`python -m bench.temporal CLIP...`, `python -m bench.quality_gate PHOTOS`; or time:
`python -m bench.report_page`.
"""

from __future__ import annotations

import sys

from bench import engines, film, job, jpeg_frames, memory, photos, upsampling


def main() -> int:
    """Run what needs no arguments."""
    engines.main()
    photos.main()
    job.main([])
    film.main([])
    jpeg_frames.main([])
    memory.main([])
    upsampling.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
