"""OUT on a file system that takes fewer names than the source's, played by a shim."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from colorize_core.archive.source.out_names import OutNames
from tests.archive.test_own_folders import make_source

ROOT = Path(__file__).parents[2]
# As NTFS and exFAT: some marks are refused, dots and spaces at the end of a name are dropped.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/types.h>

static int odd(const char *path, char *to) {
    const char *root = getenv("NTFS_ROOT");
    size_t n = root ? strlen(root) : 0, out = 0;
    strcpy(to, path);
    if (!root || strncmp(path, root, n)) return 0;
    out = n;
    for (const char *p = path + n; *p; p++) {
        if (strchr("<>:\"|?*\\", *p) || (unsigned char)*p < 32) { errno = EINVAL; return -1; }
        if (*p == '/') while (out > n && (to[out - 1] == '.' || to[out - 1] == ' ')) out--;
        to[out++] = *p;
    }
    while (out > n && (to[out - 1] == '.' || to[out - 1] == ' ')) out--;
    to[out] = 0;
    const char *name = strrchr(to, '/');
    if (name && !strncasecmp(name + 1, "aux.", 4)) { errno = ENOENT; return -1; }
    return 0;
}
#define WITH_PATH(real, ...) \
    char to[8192]; \
    static __typeof__(&real) call; \
    if (!call) call = (__typeof__(&real))dlsym(RTLD_NEXT, #real); \
    if (odd(path, to)) return -1; \
    return call(__VA_ARGS__);
#define MODE va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, int); va_end(rest);
int open(const char *path, int flags, ...) { MODE WITH_PATH(open, to, flags, mode) }
int open64(const char *path, int flags, ...) { MODE WITH_PATH(open64, to, flags, mode) }
int openat(int dir, const char *path, int flags, ...) {
    MODE WITH_PATH(openat, dir, to, flags, mode)
}
int openat64(int dir, const char *path, int flags, ...) {
    MODE WITH_PATH(openat64, dir, to, flags, mode)
}
int mkdir(const char *path, mode_t mode) { WITH_PATH(mkdir, to, mode) }
int unlink(const char *path) { WITH_PATH(unlink, to) }
"""
NAMES = (
    *(
        "ok.png",
        "aux.png",
        "folder. /inside.png",
        "a|b.png",
        "ends with dot..png",
        "Foto 12:30.png",
    ),
    *("what?.png", "tab\there.png", "folder/x: y/z.png", "Größe.png", "fine. name/ok.png"),
    'quote".png',
)
REFUSED = {
    *("aux.png", "folder. /inside.png", "a|b.png", "Foto 12:30.png", "what?.png", "tab\there.png"),
    *("folder/x: y/z.png", 'quote".png'),
}


@pytest.fixture(scope="session")
def windows_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    build = ["gcc", "-shared", "-fPIC", "-w", "-o", str(folder / "shim.so")]
    subprocess.run([*build, str(folder / "shim.c"), "-ldl"], check=True)
    return folder / "shim.so"


def test_names_that_out_refuses_are_found_before_the_run(
    windows_shim: Path, tmp_path: Path, tiny_weights: Path
):
    source, out = make_source(tmp_path / "src", NAMES), tmp_path / "out"
    fixed = ["--runner", "serial", "--no-report", "--set", f"model.weights={tiny_weights}"]
    command = [sys.executable, "-m", "jobs.colorize_archive", str(source), "--out", str(out)]
    done = subprocess.run(
        [*command, *fixed],
        env={**os.environ, "LD_PRELOAD": str(windows_shim), "NTFS_ROOT": str(out)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    summary = json.loads((out / ".colorize" / "summary.json").read_text())
    found = {item["source"]: item for item in summary["items"]}
    assert set(found) == set(NAMES)
    for name, item in found.items():
        if name in REFUSED:
            assert item["status"] == "failed"
            assert item["error"] == "unsafe-path"
            assert "the file system of OUT does not take" in item["reason"]
            assert "choose an OUT on another disk" in item["remedy"]
        else:
            assert item["status"] == "done", item
            assert (out / item["output"]).is_file()
    assert "'|' in a name" in found["a|b.png"]["reason"]
    assert "stored under another name" in found["folder. /inside.png"]["reason"]
    assert not list(out.rglob(".colorize-tmp-*"))


def test_this_file_system_is_tried_and_takes_what_it_takes(tmp_path: Path):
    odd = [*NAMES, "new\nline.jpg", os.fsdecode(b"caf\xe9.jpg"), "x" * 250 + ".jpg", "日本/🎞.tif"]
    with OutNames(tmp_path) as names:
        for name in odd:
            path = tmp_path / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                takes = True
            except OSError:
                takes = False
            assert (names.refusal(name) == "") == takes, name
        (tmp_path / "Probe").touch()
        assert names.folds_case == (tmp_path / "pROBE").exists()
        (tmp_path / "e\u0301").touch()
        assert names.folds_forms == (tmp_path / "\u00e9").exists()
    assert not list(tmp_path.glob(".colorize-tmp-*"))


def test_nothing_is_tried_where_nothing_is(tmp_path: Path):
    with OutNames(tmp_path / "new") as names:
        assert names.refusal("a:b") == ""
    assert not (tmp_path / "new").exists()
