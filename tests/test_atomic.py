from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from colorize_core.atomic import append_lines, publish, publish_bytes, remove_stale_temporaries


def test_publish_replaces_the_whole_file(tmp_path: Path):
    target = tmp_path / "new folder" / "a.png"
    publish_bytes(target, b"old")
    publish_bytes(target, b"new")
    assert target.read_bytes() == b"new"
    assert [p.name for p in target.parent.iterdir()] == ["a.png"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    target = tmp_path / "a.png"
    publish_bytes(target, b"old")
    with pytest.raises(ZeroDivisionError), publish(target) as temporary:
        temporary.write_bytes(b"half" * (1 // 0))
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_the_longest_name_can_be_published(tmp_path: Path):
    target = tmp_path / ("x" * 251 + ".png")
    publish_bytes(target, b"data")
    assert target.read_bytes() == b"data"


def test_published_files_honor_the_umask(tmp_path: Path):
    old = os.umask(0o027)
    try:
        publish_bytes(tmp_path / "a", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_kill_leaves_no_torn_file(tmp_path: Path):
    target = tmp_path / "a.bin"
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from colorize_core.atomic import publish\n"
        "with publish(Path(sys.argv[1])) as t:\n"
        "    t.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not target.exists()
    assert remove_stale_temporaries(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_torn_last_line_never_swallows_the_next(tmp_path: Path):
    path = tmp_path / "log"
    append_lines(path, ["one"])
    with path.open("ab") as file:
        file.write(b"tor")
    append_lines(path, ["two", "three"])
    assert path.read_bytes() == b"one\ntor\ntwo\nthree\n"


NO_FOLDER_FSYNC = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
int fsync(int fd) {
    static int (*real)(int);
    struct stat s;
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    if (fstat(fd, &s) == 0 && S_ISDIR(s.st_mode)) { errno = REASON; return -1; }
    return real(fd);
}
"""
WRITE_ALL = """
import sys
from pathlib import Path
from colorize_core.atomic import append_lines, publish_bytes, publish_folder
out = Path(sys.argv[1])
publish_bytes(out / "a" / "b.bin", b"whole")
append_lines(out / "lines.jsonl", ["one"])
with publish_folder(out / "frames") as folder:
    (folder / "1.png").write_bytes(b"1")
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize(
    ("reason", "works"), [("EINVAL", True), ("EOPNOTSUPP", True), ("EIO", False)]
)
def test_shares_that_refuse_fsync_of_a_folder(tmp_path: Path, reason: str, works: bool):
    (tmp_path / "no_sync.c").write_text(NO_FOLDER_FSYNC.replace("REASON", reason))
    library = tmp_path / "no_sync.so"
    build = ["gcc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "no_sync.c"), "-ldl"]
    subprocess.run(build, check=True)
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", WRITE_ALL, str(out)],
        env={**os.environ, "LD_PRELOAD": str(library)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == works, done.stderr
    # A disk that fails is not a share that cannot.
    assert works or "Input/output error" in done.stderr
    if works:
        files = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*.*")}
        assert files == {"a/b.bin": b"whole", "lines.jsonl": b"one\n", "frames/1.png": b"1"}
