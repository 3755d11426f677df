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
from colorize_core.media.plain import encode_picture, write_picture
from colorize_core.media.sheet import contact_sheet

Cell = Mapping[str, float | None]
Rows = Mapping[str, Mapping[str, Cell]]
# A photo's name, and its pictures [H, W, 3] uint8 by row of the table.
Example = tuple[str, Mapping[str, NDArray[np.uint8]]]

# Key, heading, decimals; in the order of the table.
_COLUMNS: Final = (
    ("ciede2000", "dE00", 2),
    ("psnr_mean", "PSNR mean", 2),
    ("psnr_median", "PSNR median", 2),
    ("psnr_pooled", "PSNR pooled", 2),
    ("ssim", "SSIM", 3),
    ("lpips", "LPIPS", 3),
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
)
_SHEET_COLUMNS: Final = 2
_SHEET_SIDE: Final = 256
_LEGEND: Final = (
    "value ± half of the 95 % interval (bootstrap over pictures). CF: colorfulness with |rg|, |yb| "
    "as in colorization papers; CF signed: Hasler and Suesstrunk. PSNR and SSIM cannot rank "
    "colorizers: read them beside CF and dE00, and against the gray copy."
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


def as_text(rows: Rows, facts: Mapping[str, Any]) -> str:
    """The table in Markdown, the facts of the run above it."""
    lines = table(rows)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    padded = [[c.ljust(width) for c, width in zip(line, widths, strict=True)] for line in lines]
    drawn = [f"| {' | '.join(line)} |" for line in padded]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    said = [f"{name}: {value}" for name, value in facts.items()]
    return "\n".join([*said, "", *drawn, "", _LEGEND, ""])


def write_evaluation(
    out: Path,
    rows: Rows,
    facts: Mapping[str, Any],
    details: Mapping[str, Any],
    examples: Sequence[Example],
    example_rows: Sequence[str],
) -> list[Path]:
    """Publish evaluation.md and .json, and examples.png and .html when there are examples.

    Args:
        out: folder.
        rows: figures by row and metric, each with "value", "low" and "high".
        facts: what the table says about the run, by name.
        details: further entries of the JSON.
        examples: pictures of the page.
        example_rows: which of their pictures are shown, in this order.

    Returns:
        The files.
    """
    files = {"evaluation.md": as_text(rows, facts).encode()}
    body = {**details, "facts": dict(facts), "rows": rows}
    files["evaluation.json"] = (json.dumps(body, indent=1) + "\n").encode()
    if examples:
        page = _page(rows, facts, examples, example_rows)
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
    rows: Rows, facts: Mapping[str, Any], examples: Sequence[Example], shown: Sequence[str]
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True
    )
    head, *body = table(rows)
    return environment.get_template("evaluation.html").render(
        head=head,
        body=body,
        facts=facts,
        legend=_LEGEND,
        shown=shown,
        examples=[
            {"name": name, "pictures": [_data_url(pictures[row]) for row in shown]}
            for name, pictures in examples
        ],
    )


def _data_url(picture: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_picture(".png", picture)).decode()
