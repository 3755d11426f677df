import threading
from fractions import Fraction

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from colorize_core.config import ColorizeConfig, RenderSettings, TemporalSettings, VideoSettings
from colorize_core.inference.film_segments import colorize_segment
from colorize_core.inference.film_view import letterbox_of
from colorize_core.media.film import memory_need
from colorize_core.media.film.container_choice import what_container_keeps
from colorize_core.media.film.encoder_choice import choose_encoding
from colorize_core.media.film.mux.join import join_segments
from colorize_core.media.film.names import output_name
from colorize_core.media.film.plan import plan_film
from colorize_core.media.film.planes import parse_format, plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.segments import plan_segments
from tests.film_helpers import decode, make_film, make_frame, spoil_packet

CONFIG = ColorizeConfig(
    render=RenderSettings(size=64, batch_size=4),
    video=VideoSettings(codec="ffv1"),
    temporal=TemporalSettings(enabled=False),
)


def warm_and_cold(L):
    """Bright becomes orange, dark becomes blue; stronger to the right."""
    ramp = torch.linspace(0.5, 1.5, L.shape[-1])
    return torch.cat([(L - 50) * 0.3 * ramp, (L - 50) * 0.6 * ramp], 1)


def plan_of(path, probe, config=CONFIG):
    return plan_film(path.name, probe, config.video, is_folder=False)


def colorize(path, folder, *, length=100, predict_ab=warm_and_cold, config=CONFIG):
    probe = probe_film(path)
    folder.mkdir(exist_ok=True)
    segments = []
    results = []
    for start, stop in plan_segments(probe, length):
        segments.append(folder / f"{start:04d}.nut")
        results.append(
            colorize_segment(
                path,
                probe,
                start,
                stop,
                predict_ab=predict_ab,
                config=config,
                plan=plan_of(path, probe, config),
                output=segments[-1],
            )
        )
    encoding = choose_encoding(probe, config.video)
    choice = what_container_keeps(probe, "mkv", encoding.codec)
    output = folder / output_name(path.name, "mkv")
    deinterlace = config.video.deinterlace == "bwdif"
    join_segments(
        path,
        probe,
        segments,
        output,
        choice=choice,
        note="",
        verify_luma=True,
        deinterlace=deinterlace,
    )
    return output, results


def planes(path):
    return [[np.array(plane(f, i)) for i in range(3)] for f in decode(path)]


@pytest.mark.parametrize(
    ("pix_fmt", "size", "full"),
    [
        ("yuv420p", (96, 64), False),
        ("yuv422p", (96, 64), False),
        ("yuv444p10le", (96, 64), False),
        ("yuv420p12le", (96, 64), True),
        ("gray", (96, 64), True),
        ("gray16le", (95, 63), True),
        ("yuv420p", (97, 63), False),
        ("yuv420p", (16, 16), False),
    ],
)
def test_luma_is_untouched_and_color_follows_it(tmp_path, pix_fmt, size, full):
    path = tmp_path / "a.mkv"
    make_film(
        path,
        frames=6,
        codec="ffv1",
        pix_fmt=pix_fmt,
        size=size,
        full_range=full,
        tags={"color_range": 2 if full else 1, "colorspace": 1},
    )
    output, results = colorize(path, tmp_path / "out")
    assert results[0].frames == 6
    assert results[0].damage.reasons() == ()
    depth = parse_format(pix_fmt).depth
    for source, (luma, cb, cr) in zip(decode(path), planes(output), strict=True):
        assert np.array_equal(plane(source, 0), luma)
        scale = 1 << (depth - 8)
        rows = np.arange(cb.shape[0]) * luma.shape[0] // cb.shape[0]
        columns = np.arange(cb.shape[1]) * luma.shape[1] // cb.shape[1]
        small = luma[np.ix_(rows, columns)].astype(float) / scale
        warmth = (cr.astype(float) - cb.astype(float)) / scale
        assert np.corrcoef(small.ravel(), warmth.ravel())[0, 1] > 0.8
        assert np.ptp(warmth) > 8


def flickering(L):
    """Colors that jump from frame to frame, by the picture alone."""
    jump = torch.sin(L.mean((1, 2, 3), keepdim=True) * 50)
    return warm_and_cold(L) + 12 * jump


@pytest.mark.parametrize("steady", [False, True])
def test_segment_borders_do_not_show(tmp_path, steady):
    path = tmp_path / "a.mp4"
    make_film(path, frames=50)
    config = replace(CONFIG, temporal=TemporalSettings(enabled=steady, radius=3))
    options = {"config": config, "predict_ab": flickering}
    whole = planes(colorize(path, tmp_path / "1", **options)[0])
    for length in (16, 24):
        parts = planes(colorize(path, tmp_path / f"{length}", length=length, **options)[0])
        for a, b in zip(whole, parts, strict=True):
            assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def _corner(index):
    """Black but for the stored picture's top left quarter."""
    frame = make_frame(index)
    luma = plane(frame, 0)
    luma[:] = 20
    luma[: luma.shape[0] // 2, : luma.shape[1] // 2] = 140
    return frame


@pytest.mark.parametrize(
    ("rotation", "mirrored", "aspect", "shape", "bright"),
    [
        (0, False, 1, (64, 64), "top left"),
        (-90, False, 1, (64, 64), "top right"),
        (90, False, 1, (64, 64), "bottom left"),
        (180, False, 1, (64, 64), "bottom right"),
        (0, True, 1, (64, 64), "top right"),
        (90, True, 1, (64, 64), "bottom right"),
        (180, True, 1, (64, 64), "bottom left"),
        (0, False, Fraction(2), (32, 96), "top left"),
        (90, False, Fraction(2), (96, 32), "bottom left"),
    ],
)
def test_the_generator_sees_upright_square_pixels(
    tmp_path, rotation, mirrored, aspect, shape, bright
):
    path = tmp_path / "a.mp4"
    make_film(
        path,
        frames=2,
        rotation=rotation,
        mirrored=mirrored,
        sample_aspect=Fraction(aspect),
        draw=_corner,
    )
    seen = []

    def predict(L):
        seen.append(L.clone())
        # Red where the upright picture is bright.
        return torch.cat([L * 0.5, torch.zeros_like(L)], 1)

    output, _ = colorize(path, tmp_path / "out", predict_ab=predict)
    assert seen[0].shape[-2:] == shape
    box = letterbox_of(probe_film(path), 64)
    top, left = (shape[0] - box.height) // 2, (shape[1] - box.width) // 2
    inner = seen[0][0, 0, top : top + box.height, left : left + box.width]
    # 96 x 64 stored: the shape inside the padding is that of the picture on the screen.
    on_screen = (96 * aspect / 64) if rotation % 180 == 0 else (64 / (96 * aspect))
    assert inner.shape[1] / inner.shape[0] == pytest.approx(float(on_screen), rel=0.05)
    quarters = {
        f"{vertical} {horizontal}": float(half.mean())
        for vertical, rows in zip(("top", "bottom"), inner.chunk(2, 0), strict=True)
        for horizontal, half in zip(("left", "right"), rows.chunk(2, 1), strict=True)
    }
    assert max(quarters, key=quarters.get) == bright
    # The color lies on the bright quarter of the stored picture again.
    for luma, _, cr in planes(output):
        high, wide = cr.shape[0] // 2, cr.shape[1] // 2
        assert luma[8, 8] > 130
        inside, outside = cr[4 : high - 6, 4 : wide - 6], cr[high + 6 :, wide + 6 :]
        assert inside.astype(int).mean() > 150
        assert abs(outside.astype(int).mean() - 128) < 2


def test_strength_scales_color(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=2)
    spread = {}
    for strength in (0.5, 1.0):
        config = replace(CONFIG, render=replace(CONFIG.render, strength=strength))
        folder = tmp_path / str(strength)
        output, _ = colorize(
            path, folder, config=config, predict_ab=lambda L: warm_and_cold(L) * 0.4
        )
        spread[strength] = np.std([cr.astype(float) for _, _, cr in planes(output)])
    assert spread[1.0] == pytest.approx(2 * spread[0.5], rel=0.15)


def test_every_frame_is_seen_in_batches(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=10)
    sizes = []

    def predict(L):
        sizes.append(len(L))
        return warm_and_cold(L)

    colorize(path, tmp_path / "out", predict_ab=predict)
    assert sizes == [4, 4, 2]


def test_a_failing_generator_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=60)
    probe = probe_film(path)
    calls = []

    def predict(L):
        calls.append(len(L))
        if len(calls) == 3:
            raise RuntimeError("the generator broke")
        return warm_and_cold(L)

    before = threading.active_count()
    output = tmp_path / "out" / "s.nut"
    with pytest.raises(RuntimeError, match="the generator broke"):
        colorize_segment(
            path,
            probe,
            0,
            60,
            predict_ab=predict,
            config=CONFIG,
            plan=plan_of(path, probe),
            output=output,
        )
    assert threading.active_count() == before
    assert list(output.parent.iterdir()) == []


def test_damage_is_counted_inside_the_segment_only(tmp_path):
    first, second, path = tmp_path / "1.h264", tmp_path / "2.h264", tmp_path / "both.h264"
    make_film(first, frames=20, time_base=Fraction(1, 25))
    make_film(second, frames=5, size=(128, 96), time_base=Fraction(1, 25))
    path.write_bytes(first.read_bytes() + second.read_bytes())
    output, (result,) = colorize(path, tmp_path / "out")
    assert result.damage.converted == 5
    assert "5 frames of another size" in result.damage.reasons()[0]
    assert len(decode(output)) == 25


def test_the_stabilizer_calms_the_film(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=30)
    restless = {}
    for steady in (False, True):
        config = replace(CONFIG, temporal=TemporalSettings(enabled=steady))
        output, (result,) = colorize(
            path, tmp_path / str(steady), config=config, predict_ab=flickering
        )
        means = np.array([cr.mean() for _, _, cr in planes(output)])
        restless[steady] = np.abs(np.diff(means)).mean()
        assert ("flow" in result.seconds) is steady
    assert restless[True] < 0.5 * restless[False]


@pytest.mark.parametrize("spoiled", [[0, 1], [5, 6, 7], [38, 39]])
def test_held_frames_keep_their_neighbors_luma(tmp_path, spoiled):
    path = tmp_path / "a.mp4"
    make_film(path, frames=40, options={"bf": "0", "g": "1"})
    truth = [np.array(plane(frame, 0)) for frame in decode(path)]
    for number in spoiled:
        spoil_packet(path, number)
    output, (result,) = colorize(path, tmp_path / "out")
    assert result.damage.held == len(spoiled)
    shown = planes(output)
    assert len(shown) == 40
    for index, (luma, *_) in enumerate(shown):
        source = index
        while source in spoiled:
            source += 1 if spoiled[0] == 0 else -1
        assert np.array_equal(luma, truth[source]), index


def test_stages_are_timed(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=10)
    _, (result,) = colorize(path, tmp_path / "out")
    assert set(result.seconds) >= {"decode", "infer", "chroma", "encode"}
    assert all(seconds >= 0 for seconds in result.seconds.values())


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_interlaced_film_is_deinterlaced_on_request(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    make_film(path, frames=12, options={"x264-params": "tff=1"})
    config = replace(CONFIG, video=replace(CONFIG.video, deinterlace="bwdif"))
    kept, _ = colorize(path, tmp_path / "keep")
    removed, _ = colorize(path, tmp_path / "bwdif", config=config)
    assert probe_film(kept).is_interlaced
    assert not probe_film(removed).is_interlaced
    assert len(decode(removed)) == 12


@pytest.mark.parametrize("is_interlaced", [False, True])
def test_frames_that_are_decoded_again_give_the_same_film(tmp_path, monkeypatch, is_interlaced):
    path = tmp_path / "a.mp4"
    flags = {"flags": "+ildct+ilme", "x264-params": "tff=1"} if is_interlaced else {}
    make_film(path, frames=40, options={"bf": "0", "g": "8", **flags})
    for number in (9, 10, 20, 39):
        spoil_packet(path, number)
    video = replace(CONFIG.video, deinterlace="bwdif" if is_interlaced else "keep")
    config = replace(CONFIG, temporal=TemporalSettings(), video=video)
    films, damage, stages = [], [], []
    for most in (memory_need.IN_FLIGHT_BYTES, 1):
        monkeypatch.setattr(memory_need, "IN_FLIGHT_BYTES", most)
        output, results = colorize(path, tmp_path / str(most), length=10, config=config)
        films.append(planes(output))
        damage.append([result.damage for result in results])
        stages.append({name for result in results for name in result.seconds})
    assert len(films[0]) == len(films[1]) == 40
    assert all(
        np.array_equal(*pair)
        for one, other in zip(*films, strict=True)
        for pair in zip(one, other, strict=True)
    )
    assert damage[0] == damage[1]
    assert sum(part.held for part in damage[0]) >= 4
    assert stages[1] - stages[0] == {"again"}
