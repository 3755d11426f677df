"""From what was measured on every picture to the figures of a table, with their intervals."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from colorize_core.evaluation.clips import ClipEvaluation
from colorize_core.evaluation.photos import GENERATOR, GRAY, TRUTH, Evaluation, Measured
from colorize_core.metrics import distribution, image
from colorize_core.metrics.bootstrap import Bootstrap, Figure, means_of

Row = dict[str, Figure]

_FEWEST_FOR_SETS = 2
_FEWEST_FOR_SCORE = 20


def figures(evaluation: Evaluation, *, resamples: int, seed: int) -> dict[str, Row]:
    """Figures by row and metric.

    Intervals are of the pictures drawn, at 95 %. Distances between sets from network features have
    none: drawing with replacement makes them larger.

    Args:
        evaluation: of at least one picture.
        resamples: of the bootstrap.
        seed: of the bootstrap and of the random subsets of KID and inception score.
    """
    bootstrap = Bootstrap(evaluation.pictures, resamples, seed)
    truth = evaluation.rows[TRUTH]
    table = {}
    for name, measured in evaluation.rows.items():
        row = _colorfulness(measured, truth, bootstrap, is_truth=name == TRUTH)
        if name != TRUTH:
            row |= _per_picture(measured, bootstrap)
            row |= _explained(measured, bootstrap)
            row["ab_js"] = bootstrap.figure(partial(_ab_js, measured.vector("ab"), truth))
            row |= _sets(measured, truth, seed)
        row |= _inception_score(measured, seed)
        table[name] = row
    for row in table.values():
        for metric in ("ciede2000", "ab_js", "squeezenet_frechet", "lpips"):
            gray = table[GRAY].get(metric)
            if metric in row and gray is not None and gray.value > 0:
                row[f"{metric}_to_gray"] = Figure(row[metric].value / gray.value)
    return table


def folder_figures(evaluation: Evaluation, *, resamples: int, seed: int) -> dict[str, Row]:
    """The generator's figures on the pictures of each first folder; empty if there is but one.

    Args:
        evaluation: see `figures`.
        resamples: see `figures`.
        seed: see `figures`.
    """
    return {
        f"{folder} ({part.pictures})": figures(part, resamples=resamples, seed=seed)[GENERATOR]
        for folder, part in evaluation.by_folder().items()
    }


def clip_figures(evaluation: ClipEvaluation, *, resamples: int, seed: int) -> dict[str, Row]:
    """Means over clips by row and metric; intervals are of the clips drawn, if there are several.

    Args:
        evaluation: of at least one clip.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    clips = list(evaluation.clips.values())
    bootstrap = Bootstrap(len(clips), resamples, seed)

    def mean(name: str, metric: str) -> Figure:
        values = torch.tensor([clip[name].figures()[metric] for clip in clips]).double()
        return bootstrap.mean(values) if len(clips) > 1 else Figure(float(values[0]))

    table = {
        name: {metric: mean(name, metric) for metric in row.figures()}
        for name, row in clips[0].items()
    }
    true_color = table[TRUTH]["colorfulness"].value
    del table[TRUTH]["ciede2000"]
    for row in table.values():
        row["colorfulness_to_truth"] = Figure(row["colorfulness"].value / max(true_color, 1e-9))
    return table


def _colorfulness(
    measured: Measured, truth: Measured, bootstrap: Bootstrap, *, is_truth: bool
) -> Row:
    ours, theirs = measured.scalar("colorfulness"), truth.scalar("colorfulness")
    row = {
        "colorfulness": bootstrap.mean(ours),
        "colorfulness_signed": bootstrap.mean(measured.scalar("colorfulness_signed")),
    }
    if not is_truth:
        row["colorfulness_to_truth"] = bootstrap.figure(
            lambda i: ours[i].mean(1) / theirs[i].mean(1).clamp(min=1e-9)
        )
        row["delta_colorfulness"] = bootstrap.figure(
            lambda i: (ours[i].mean(1) - theirs[i].mean(1)).abs()
        )
    return row


def _per_picture(measured: Measured, bootstrap: Bootstrap) -> Row:
    errors = measured.scalar("mse")
    decibels = image.psnr(errors)
    row = {
        "psnr_mean": bootstrap.mean(decibels),
        "psnr_median": bootstrap.median(decibels),
        "psnr_pooled": bootstrap.figure(lambda i: image.psnr(errors[i].mean(1))),
    }
    for name in ("ssim", "ciede2000", "lpips", "delta_L"):
        if name in measured.scalars:
            row[name] = bootstrap.mean(measured.scalar(name))
    return row


def _explained(measured: Measured, bootstrap: Bootstrap) -> Row:
    moments = measured.vector("ab_moments")

    def share(channel: int, index: Tensor) -> Tensor:
        means = means_of(moments, index).reshape(len(index), 2, -1)
        return image.explained_variance(means)[:, channel]

    return {
        f"explained_{name}": bootstrap.figure(partial(share, channel))
        for channel, name in enumerate("ab")
    }


def _ab_js(histograms: Tensor, truth: Measured, index: Tensor) -> Tensor:
    ours = means_of(histograms.double(), index)
    theirs = means_of(truth.vector("ab").double(), index)
    pairs = zip(ours, theirs, strict=True)
    return torch.tensor([image.js_divergence(p, q) for p, q in pairs], dtype=torch.float64)


def _sets(measured: Measured, truth: Measured, seed: int) -> Row:
    row: Row = {}
    if "squeezenet" in measured.vectors and len(measured.vectors["ab"]) >= _FEWEST_FOR_SETS:
        features = measured.vector("squeezenet"), truth.vector("squeezenet")
        row["squeezenet_frechet"] = Figure(distribution.leading_frechet(*features))
    if "inception" in measured.vectors and len(measured.vectors["ab"]) >= _FEWEST_FOR_SETS:
        features = measured.vector("inception"), truth.vector("inception")
        row["fid"] = Figure(distribution.fid(*features))
        mean, deviation = distribution.kid(*features, seed=seed)
        row |= {"kid": Figure(mean), "kid_deviation": Figure(deviation)}
    return row


def _inception_score(measured: Measured, seed: int) -> Row:
    if len(measured.vectors.get("classes", ())) < _FEWEST_FOR_SCORE:
        return {}
    mean, deviation = distribution.inception_score(measured.vector("classes"), seed=seed)
    return {
        "inception_score": Figure(mean),
        "inception_score_deviation": Figure(deviation),
    }
