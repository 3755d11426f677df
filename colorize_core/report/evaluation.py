"""What an evaluation leaves behind: a table as text, JSON, and a page of examples."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np
from numpy.typing import NDArray

from colorize_core.atomic import publish_bytes
from colorize_core.media.picture.plain import encode_picture, write_picture
from colorize_core.media.picture.sheet import contact_sheet

Cell = Mapping[str, float | None]
Rows = Mapping[str, Mapping[str, Cell]]
# A photo's name, and its pictures [H, W, 3] uint8 by row of the table.
Example = tuple[str, Mapping[str, NDArray[np.uint8]]]

# Key, heading, decimals; in the order of the table.
_COLUMNS: Final = (
    ("ciede2000", "dE00", 2),
    ("ciede2000_to_gray", "dE00/gray", 3),
    ("explained_a", "a explained", 3),
    ("explained_b", "b explained", 3),
    ("psnr_mean", "PSNR mean", 2),
    ("psnr_median", "PSNR median", 2),
    ("psnr_pooled", "PSNR pooled", 2),
    ("ssim", "SSIM", 3),
    ("lpips", "LPIPS", 3),
    ("lpips_to_gray", "LPIPS/gray", 3),
    ("colorfulness", "CF", 2),
    ("colorfulness_to_truth", "CF/truth", 3),
    ("colorfulness_signed", "CF signed", 2),
    ("delta_colorfulness", "dCF", 2),
    ("ab_js", "ab JS", 4),
    ("ab_js_to_gray", "JS/gray", 3),
    ("squeezenet_frechet", "squeezenet Frechet", 1),
    ("squeezenet_frechet_to_gray", "Frechet/gray", 3),
    ("fid", "FID", 2),
    ("kid", "KID", 5),
    ("kid_deviation", "KID sd", 5),
    ("inception_score", "IS", 3),
    ("inception_score_deviation", "IS sd", 3),
    ("delta_L", "dL", 3),
    ("cdc", "CDC", 5),
    ("warp_dis", "warp_dis", 6),
    ("warp_dis_ab", "warp_dis ab", 2),
)
_SHEET_COLUMNS: Final = 2
_SHEET_SIDE: Final = 256
_LEGEND: Final = (
    "value ± half of the 95 % interval (bootstrap over pictures or films). CF: colorfulness with "
    "|rg|, |yb| as in colorization papers; CF signed: Hasler and Suesstrunk. a, b explained: "
    "squared correlation with the truth over all pixels. PSNR and SSIM cannot "
    "rank colorizers: read them beside CF and dE00, and against the gray copy."
)
_CLIP_LEGEND: Final = (
    "CDC: color distribution consistency; warp_dis: mean square of what changes along the motion "
    "(DIS flow on the gray clip), of RGB in 0..1 and of ab. Lower is steadier, but no color is "
    "steadiest of all: read them beside CF and against the ground truth."
)


def table(rows: Rows) -> list[list[str]]:
    """Cells of the table, headings first; metrics that no row has are left out."""
    columns = [c for c in _COLUMNS if any(c[0] in row for row in rows.values())]
    lines = [["", *(heading for _, heading, _ in columns)]]
    for name, row in rows.items():
        lines.append([name, *(_cell(row.get(key), digits) for key, _, digits in columns)])
    return lines


def _cell(cell: Cell | None, digits: int) -> str:
    if cell is None or cell["value"] is None:
        return "-"
    text = f"{cell['value']:.{digits}f}"
    low, high = cell.get("low"), cell.get("high")
    return text if low is None or high is None else f"{text} ±{(high - low) / 2:.{digits}f}"


def as_text(tables: Mapping[str, Rows], facts: Mapping[str, Any]) -> str:
    """The tables in Markdown, the facts of the run above them."""
    lines = [f"{name}: {value}" for name, value in facts.items()]
    for title, rows in tables.items():
        lines += ["", f"{title}:", "", *_drawn(table(rows))]
    return "\n".join([*lines, "", *_legends(tables), ""])


def _drawn(lines: list[list[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    padded = [[c.ljust(width) for c, width in zip(line, widths, strict=True)] for line in lines]
    drawn = [f"| {' | '.join(line)} |" for line in padded]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return drawn


def _legends(tables: Mapping[str, Rows]) -> list[str]:
    has_clips = any("cdc" in row for rows in tables.values() for row in rows.values())
    return [_LEGEND, _CLIP_LEGEND] if has_clips else [_LEGEND]


def write_evaluation(
    out: Path,
    tables: Mapping[str, Rows],
    facts: Mapping[str, Any],
    details: Mapping[str, Any],
    examples: Sequence[Example],
    example_rows: Sequence[str],
) -> list[Path]:
    """Publish evaluation.md and .json, and examples.png and .html when there are examples.

    Args:
        out: folder.
        tables: by title, figures by row and metric, each with "value", "low" and "high".
        facts: what the table says about the run, by name.
        details: further entries of the JSON.
        examples: pictures of the page.
        example_rows: which of their pictures are shown, in this order.

    Returns:
        The files.
    """
    files = {"evaluation.md": as_text(tables, facts).encode()}
    body = {**details, "facts": dict(facts), **tables}
    files["evaluation.json"] = (json.dumps(body, indent=1) + "\n").encode()
    if examples:
        page = _page(tables, facts, examples, example_rows)
        files["examples.html"] = page.encode("utf-8", "surrogateescape")
    for name, data in files.items():
        publish_bytes(out / name, data)
    paths = [out / name for name in files]
    if examples:
        groups = [[pictures[row] for row in example_rows] for _, pictures in examples]
        sheet = contact_sheet(groups, example_rows, columns=_SHEET_COLUMNS, side=_SHEET_SIDE)
        write_picture(out / "examples.png", sheet)
        paths.append(out / "examples.png")
    return paths


def _page(
    tables: Mapping[str, Rows],
    facts: Mapping[str, Any],
    examples: Sequence[Example],
    shown: Sequence[str],
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True
    )
    return environment.get_template("evaluation.html").render(
        tables={title: table(rows) for title, rows in tables.items()},
        facts=facts,
        legends=_legends(tables),
        shown=shown,
        examples=[
            {"name": name, "pictures": [_data_url(pictures[row]) for row in shown]}
            for name, pictures in examples
        ],
    )


def _data_url(picture: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_picture(".png", picture)).decode()
