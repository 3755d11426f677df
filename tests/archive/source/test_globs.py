from __future__ import annotations

import fnmatch
import itertools
import random
import time
import unicodedata

import pytest

from colorize_core.archive.source.globs import Glob, exact_glob, nearest
from colorize_core.errors import ConfigError

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "München/Brücke") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("*.jpg", "a/b/c.jpg", True),
        ("*.jpg", "c.jpeg", False),
        ("a/*.jpg", "a/b/c.jpg", False),
        ("a/**", "a/b/c.jpg", True),
        ("a/**", "a", False),
        ("**/a/**", "x/a/b", True),
        ("a/**/b.jpg", "a/b.jpg", True),
        ("a/**/b.jpg", "a/x/y/b.jpg", True),
        ("a/**/b.jpg", "ab.jpg", False),
        ("19[0-3]?/**", "1931/x.jpg", True),
        ("19[!0-3]?/**", "1931/x.jpg", False),
        ("[!a]b", "/b", False),
        ("[]]x", "]x", True),
        ("a[", "a[", True),
        ("1920s/**.jpg", "1920s/x/y.jpg", True),
        ("1920s/**.jpg", "1920s/y.jpg", True),
        ("1920s/a**b/c", "1920s/a/x/b/c", True),
        ("1920s/a**b/c", "1920s/ab/c", True),
        ("*a*b*c", "xxaxxbxxc", True),
        ("*a*b*c", "xxaxxcxxb", False),
        ("**", "a/b", True),
        ("./a/*.jpg", "a/b.jpg", True),
        ("a\\b\\*.jpg", "a/b/c.jpg", True),
        ("folder/", "folder", True),
        (
            unicodedata.normalize("NFC", "München/*"),
            unicodedata.normalize("NFD", "München/x"),
            True,
        ),
        (
            unicodedata.normalize("NFD", "Brücke.*"),
            unicodedata.normalize("NFC", "Brücke.jpg"),
            True,
        ),
        ("new\nline.*", "new\nline.jpg", True),
    ],
)
def test_what_fits(glob: str, path: str, fits: bool):
    assert Glob(glob).fits(path) == fits


def reference(glob: list[str], path: list[str]) -> bool:
    """By definition: `**` stands for any number of names; the shell's rule for one name."""
    if not glob:
        return not path
    if glob[0] == "**":
        least = 1 if len(glob) == 1 else 0
        return any(reference(glob[1:], path[n:]) for n in range(least, len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], glob[0]) and reference(glob[1:], path[1:])


def test_it_is_what_the_definition_says_for_random_globs():
    rng = random.Random(11)
    names = ["".join(n) for k in (1, 2, 3) for n in itertools.product("ab", repeat=k)]
    parts = ["**", "*", "a*", "*b", "*a*b*", "?", "[ab]?", "[!a]*", "ab", "*a*a*"]
    fitting = 0
    for _ in range(4000):
        glob = [rng.choice(parts) for _ in range(rng.randrange(2, 6))]
        path = [rng.choice(names) for _ in range(rng.randrange(1, 6))]
        expected = reference(glob, path)
        fitting += expected
        assert Glob("/".join(glob)).fits("/".join(path)) == expected, (glob, path)
    assert 150 < fitting < 3500


@pytest.mark.parametrize(
    "glob",
    [
        "**/" * 14 + "x.jpg",
        "**/a/" * 14 + "x.jpg",
        "**/*a*a*a*a*a*a*a*a*a*a*b/" * 3 + "x",
        "*a" * 60 + "b",
        "*?" * 60 + "b",
    ],
)
def test_no_glob_takes_long(glob: str):
    path = "a/" * 1000 + "a" * 250 + ".jpg"
    compiled = Glob(glob)
    started = time.process_time()
    assert not compiled.fits(path)
    assert time.process_time() - started < 0.5


def test_too_many_crossings_are_refused_in_one_line():
    with pytest.raises(ConfigError, match="too many names"):
        Glob("a**b/c**d/e**f/g**h")
    with pytest.raises(ConfigError, match="z-a"):
        Glob("[z-a].jpg")


def test_the_nearest_name():
    paths = ["1931/erna.jpg", "1931/kurt.jpg", "1945/trümmer.tif", "plain.jpg"]
    assert nearest("1931/ernna.jpg", paths) == "1931/erna.jpg"
    assert nearest("1913/**", paths) == "1931"
    assert nearest("plan.jpg", paths) == "plain.jpg"
    assert nearest("zzzz", paths) == ""


@pytest.mark.parametrize("path", ["a.png", "box/a[1].png", "b*/c?.tif", "x/[!a].jpg", "é/]x[.png"])
def test_an_exact_glob_fits_its_path_alone(path: str):
    glob = Glob(exact_glob(path))
    assert glob.fits(path)
    assert not glob.fits(f"other/{path}")
    assert not glob.fits(path.replace("[", "").replace("*", "1").replace("?", "1") + "x")
