"""Local sources: folders, files, globs, list files; what is left out, and what cannot be used."""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from colorize_core.archive.source.item import Scan
from colorize_core.archive.source.leftovers import JUNK
from colorize_core.archive.source.out_names import OutNames
from colorize_core.archive.source.scan import default_out, scan
from colorize_core.atomic import TEMP_PREFIX
from colorize_core.errors import InputError, MissingError, UnsafePathError, UsageError

PHOTOS = frozenset({".jpg", ".png", ".gif"})
FILMS = frozenset({".mp4"})


def find(source, **options) -> Scan:
    return scan(str(source), photo_suffixes=PHOTOS, film_suffixes=FILMS, **options)


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
    return root


def paths(found: Scan) -> list[str]:
    return [item.path for item in found.items]


def problems(found: Scan) -> dict[str, type[InputError]]:
    return {path: type(error) for path, error in found.problems}


def test_folder_is_found_whole_and_sorted_by_path(tmp_path):
    names = ["b/z.jpg", "b.jpg", "b-1/x.PNG", "a.mp4", "b/a/y.gif", "-dash.jpg", ".hidden.jpg"]
    src = write(tmp_path / "src", *names)
    found = find(src)
    assert paths(found) == sorted(names)
    assert found.ignored == {}
    assert found.problems == ()
    by_path = {item.path: item for item in found.items}
    assert by_path["a.mp4"].kind == "film"
    assert by_path["b-1/x.PNG"].kind == "photo"
    for path, item in by_path.items():
        status = (src / path).stat()
        assert item.location == str(src / path)
        assert (item.size, item.stamp) == (status.st_size, f"mtime_ns:{status.st_mtime_ns}")


def test_items_behave_as_a_sequence_and_pickle(tmp_path):
    items = find(write(tmp_path, "a.jpg", "b.jpg", "c.jpg")).items
    assert len(items) == 3
    assert [item.path for item in items[1:]] == ["b.jpg", "c.jpg"]
    assert items[-1].path == "c.jpg"
    assert pickle.loads(pickle.dumps(items[0])) == items[0]
    with pytest.raises(IndexError):
        items[3]


@pytest.mark.parametrize(
    "name",
    ["with space.jpg", "new\nline.jpg", "Größe-日本.jpg", 'it\'s "$HOME".jpg', "back\\slash.jpg"],
)
def test_any_name_is_an_item(tmp_path, name):
    found = find(write(tmp_path / "src", name))
    assert paths(found) == [name]
    assert Path(found.items[0].location).read_bytes() == name.encode()


def test_a_name_that_is_not_utf8_is_an_item(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    found = find(write(tmp_path / "src", name))
    assert paths(found) == [name]
    assert Path(found.items[0].location).read_bytes() == b"caf\xe9.jpg"


def test_junk_and_other_files_are_counted(tmp_path):
    junk = [".DS_Store", "Thumbs.db", "desktop.ini", "._a.jpg", "__MACOSX/b.jpg"]
    junk += [".colorize/x.jpg", f"{TEMP_PREFIX}1.jpg", "@eaDir/thumb.jpg"]
    other = ["notes.txt", "noext", ".jpg", "scans.zip", "old.tar.gz"]
    found = find(write(tmp_path, "a.jpg", *junk, *other))
    assert paths(found) == ["a.jpg"]
    assert found.ignored == {
        JUNK: len(junk) - 2,
        "thumbnails of a NAS or photo program": 2,
        "not a picture or film": 2,
        "sidecar .txt": 1,
    }
    assert [item.path for item in found.unread] == ["old.tar.gz", "scans.zip"]


def test_out_inside_the_source_is_left_out(tmp_path):
    write(tmp_path, "a.jpg", "out/a.jpg", "out/deep/b.jpg", "output/c.jpg")
    assert paths(find(tmp_path, exclude=tmp_path / "out")) == ["a.jpg", "output/c.jpg"]
    assert find(tmp_path, exclude=tmp_path / "out").ignored == {"inside OUT": 1}
    # Also through a link to OUT, and with another spelling of its path.
    (tmp_path / "alias").symlink_to(tmp_path / "out")
    spelled = tmp_path / "output" / ".." / "out"
    assert paths(find(tmp_path, exclude=spelled, follow_links=True)) == ["a.jpg", "output/c.jpg"]


def test_a_source_inside_out_is_not_left_out(tmp_path):
    write(tmp_path, "scans/a.jpg")
    assert paths(find(tmp_path / "scans", exclude=tmp_path)) == ["a.jpg"]


def test_no_output_is_written_into_the_source(tmp_path):
    src = write(tmp_path / "scans", "a.jpg", "scans/a.jpg", "scans/new.jpg", "b/a.jpg")
    found = find(src, exclude=tmp_path)
    assert paths(found) == ["a.jpg", "b/a.jpg"]
    assert problems(found) == {"scans/a.jpg": UnsafePathError, "scans/new.jpg": UnsafePathError}
    assert "another OUT" in found.problems[0][1].remedy
    # Through a link in OUT, as well.
    out = tmp_path / "out"
    out.mkdir()
    (out / "b").symlink_to(src)
    assert problems(find(src, exclude=out)) == {"b/a.jpg": UnsafePathError}


def test_links_from_a_source_inside_out_do_not_lead_to_outputs(tmp_path):
    src = write(tmp_path, "scans/a.jpg", "done/b.jpg") / "scans"
    (src / "done").symlink_to(tmp_path / "done")
    found = find(src, exclude=tmp_path, follow_links=True)
    assert paths(found) == ["a.jpg"]
    assert found.ignored == {"inside OUT": 1}


@pytest.mark.parametrize("output", ["", "/etc/a.jpg", "../a.jpg"])
def test_outputs_outside_out_are_problems(tmp_path, output):
    src = write(tmp_path / "src", "a.jpg")
    assert problems(find(src, outputs_of=lambda _: [output])) == {"a.jpg": UnsafePathError}


@pytest.mark.parametrize("source", [".", "a.jpg", "*.jpg"])
def test_out_may_not_be_the_source(tmp_path, source):
    write(tmp_path, "a.jpg")
    with pytest.raises(UsageError, match="choose another OUT"):
        find(f"{tmp_path}/{source}", exclude=tmp_path)


def test_links_do_not_lead_outside_unless_asked(tmp_path):
    outside = write(tmp_path / "outside", "secret.jpg", "folder/more.jpg")
    src = write(tmp_path / "src", "a.jpg", "sub/b.jpg")
    (src / "file.jpg").symlink_to(outside / "secret.jpg")
    (src / "dir").symlink_to(outside / "folder")
    (src / "inner.jpg").symlink_to(src / "sub" / "b.jpg")
    (src / "sub" / "loop").symlink_to(src)
    found = find(src)
    assert paths(found) == ["a.jpg", "inner.jpg", "sub/b.jpg"]
    assert found.ignored == {"link not followed": 3}
    followed = find(src, follow_links=True)
    assert paths(followed) == ["a.jpg", "dir/more.jpg", "file.jpg", "inner.jpg", "sub/b.jpg"]
    assert followed.ignored == {"link not followed": 1}  # the loop


def test_a_source_that_is_a_link_is_followed(tmp_path):
    write(tmp_path / "real", "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert paths(find(tmp_path / "link")) == ["a.jpg"]


def test_broken_links_are_problems(tmp_path):
    write(tmp_path, "a.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (tmp_path / "folder").symlink_to(tmp_path / "no-folder")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing.txt")
    found = find(tmp_path)
    assert problems(found) == dict.fromkeys(["folder", "gone.jpg", "self.jpg"], MissingError)
    assert [path for path, _ in found.problems] == ["folder", "gone.jpg", "self.jpg"]
    assert paths(found) == ["a.jpg"]


def test_pipes_and_sockets_are_never_opened(tmp_path):
    write(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        found = find(tmp_path)
    assert paths(found) == ["a.jpg"]
    assert found.ignored == {"not a regular file": 2}


def test_a_very_deep_folder_is_walked(tmp_path):
    # Made step by step: the whole path is too long for one call, for the scan as well.
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d" * 20, dir_fd=here)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("x.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    write(tmp_path, "a.jpg", *["d/" * 700 + "b.jpg"])
    found = find(tmp_path)
    assert paths(found) == ["a.jpg", "d/" * 700 + "b.jpg"]
    assert [error.kind for _, error in found.problems] == ["input"]
    assert "too long" in found.problems[0][1].message


def test_unreadable_folders_are_problems(tmp_path):
    src = write(tmp_path / "src", "a.jpg", "shut/b.jpg", "blind/c.jpg")
    (src / "shut").chmod(0o000)
    (src / "blind").chmod(0o444)  # names can be listed, files not looked at
    lines = (
        "print([i.path for i in found.items])\n"
        "print([(p, type(e).__name__, e.message, bool(e.remedy)) for p, e in found.problems])"
    )
    out = scan_as_nobody(src, lines)
    assert out.splitlines() == [
        "['a.jpg']",
        "[('blind/c.jpg', 'InputError', 'blind/c.jpg: cannot be read: Permission denied', True), "
        "('shut', 'InputError', 'shut: cannot be read: Permission denied', True)]",
    ]


def test_an_unreadable_source_cannot_run(tmp_path):
    src = write(tmp_path / "src", "a.jpg")
    src.chmod(0o000)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        scan_as_nobody(src, "")
    assert "UsageError" in failed.value.stderr
    assert "src: cannot be read: Permission denied" in failed.value.stderr


def scan_as_nobody(src: Path, lines: str) -> str:
    """Scan without root's rights (root reads everything), then run `lines`; return stdout."""
    for folder in src.parents:
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    code = (
        "import os, sys\n"
        "from colorize_core.archive.source.scan import scan\n"
        "if os.geteuid() == 0:\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "found = scan(sys.argv[1], photo_suffixes=frozenset({'.jpg'}), film_suffixes=frozenset())\n"
    )
    command = [sys.executable, "-c", code + lines, str(src)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_one_file(tmp_path):
    write(tmp_path, "a.jpg", "film.mp4", "x.txt")
    assert paths(find(tmp_path / "a.jpg")) == ["a.jpg"]
    assert find(tmp_path / "film.mp4").items[0].kind == "film"
    assert paths(find(f"file://{tmp_path}/a.jpg")) == ["a.jpg"]
    with pytest.raises(UsageError, match=r"x\.txt: not a photo.*\.gif \.jpg"):
        find(tmp_path / "x.txt")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UsageError, match="not a regular file"):
        find(tmp_path / "pipe.jpg")


def test_nothing_there(tmp_path):
    with pytest.raises(UsageError, match="check SRC"):
        find("")
    with pytest.raises(UsageError, match="no such file or folder"):
        find(tmp_path / "missing")
    with pytest.raises(UsageError, match=r"no photo or film in it.*known by their suffix"):
        find(tmp_path)
    write(tmp_path, "x.txt", "Thumbs.db")
    with pytest.raises(UsageError, match=r"left out: 1 sidecar \.txt, 1 thumbnails of a NAS"):
        find(tmp_path)
    with pytest.raises(UsageError, match="no photo or film in it"):
        find(tmp_path / "*.jpg")


def test_a_source_in_the_home_folder_and_a_relative_one(tmp_path, monkeypatch):
    write(tmp_path, "home/a.jpg")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert paths(find("~")) == ["a.jpg"]
    assert find("home").items[0].location == str(tmp_path / "home" / "a.jpg")
    assert find("./home/../home/").items[0].location == str(tmp_path / "home" / "a.jpg")


def test_glob_gives_paths_relative_to_its_fixed_folder(tmp_path):
    write(tmp_path, "1901/a.jpg", "1901/deep/b.jpg", "1902/a.jpg", "x/a.jpg", "1903.jpg", "19.txt")
    assert paths(find(tmp_path / "19*")) == [
        "1901/a.jpg",
        "1901/deep/b.jpg",
        "1902/a.jpg",
        "1903.jpg",
    ]
    assert paths(find(tmp_path / "190[12]" / "a.jpg")) == ["1901/a.jpg", "1902/a.jpg"]
    found = find(tmp_path / "**" / "*.jpg")
    assert paths(found) == ["1901/a.jpg", "1901/deep/b.jpg", "1902/a.jpg", "1903.jpg", "x/a.jpg"]
    assert paths(find(tmp_path / "**")) == paths(found)
    assert found.items[0].location == str(tmp_path / "1901" / "a.jpg")


def test_glob_does_not_walk_through_links(tmp_path):
    outside = write(tmp_path / "outside", "secret.jpg")
    src = write(tmp_path / "src", "sub/a.jpg")
    (src / "link").symlink_to(outside)
    (src / "sub" / "loop").symlink_to(src)
    assert paths(find(src / "**" / "*.jpg")) == ["sub/a.jpg"]
    assert paths(find(src / "*")) == ["sub/a.jpg"]
    assert "link/secret.jpg" in paths(find(src / "*" / "*.jpg", follow_links=True))


def test_glob_leaves_out_out(tmp_path):
    write(tmp_path, "a.jpg", "out/a.jpg")
    assert paths(find(tmp_path / "**" / "*.jpg", exclude=tmp_path / "out")) == ["a.jpg"]


def test_a_folder_whose_name_looks_like_a_glob(tmp_path):
    write(tmp_path, "best [1]/a.jpg", "best 1/b.jpg")
    assert paths(find(tmp_path / "best [1]")) == ["a.jpg"]


def test_list_file(tmp_path):
    outside = write(tmp_path / "elsewhere", "o.jpg", "tree/p.jpg")
    home = write(tmp_path / "lists", "a b.jpg", "sub/c.jpg", "#odd.jpg", "tail .jpg", "n.txt")
    lines = [
        "# a comment",
        "",
        "a b.jpg",
        "./sub/../a b.jpg",
        "sub",
        "./#odd.jpg",
        "tail .jpg",
        "missing.jpg",
        "n.txt",
        str(outside / "o.jpg"),
        "../elsewhere/tree",
    ]
    listed = home / "list.txt"
    listed.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    found = find(f"@{listed}")
    absolute = str(outside).lstrip("/")
    expected = ["#odd.jpg", "a b.jpg", "sub/c.jpg", "tail .jpg"]
    expected += [f"{absolute}/o.jpg", f"{absolute}/tree/p.jpg"]
    assert paths(found) == sorted(expected)
    for item in found.items:
        assert Path(item.location).read_bytes() in item.location.encode()
    assert found.ignored == {"listed twice": 1, "sidecar .txt": 1}
    assert problems(found) == {"missing.jpg": MissingError}


def test_list_separated_by_nul_holds_newlines(tmp_path):
    write(tmp_path, "new\nline.jpg", "#1.jpg", "end\r.jpg", "b.jpg")
    (tmp_path / "list").write_bytes(b"new\nline.jpg\0#1.jpg\0end\r.jpg\0b.jpg\0")
    assert paths(find(f"@{tmp_path}/list")) == ["#1.jpg", "b.jpg", "end\r.jpg", "new\nline.jpg"]


def test_list_does_not_depend_on_its_other_lines(tmp_path):
    write(tmp_path, "x/a.jpg", "y/b.jpg", "lists/keep")
    listed = tmp_path / "lists" / "l.txt"
    listed.write_text("../x/a.jpg\n")
    alone = paths(find(f"@{listed}"))
    listed.write_text("../y/b.jpg\n../x/a.jpg\n")
    assert set(alone) < set(paths(find(f"@{listed}")))


def test_list_follows_what_it_names_but_not_what_that_links_to(tmp_path):
    outside = write(tmp_path / "outside", "a.jpg", "tree/b.jpg")
    home = write(tmp_path / "home", "real/c.jpg")
    (home / "named.jpg").symlink_to(outside / "a.jpg")
    (home / "tree").symlink_to(outside / "tree")
    (home / "real" / "inner.jpg").symlink_to(outside / "a.jpg")
    (home / "list").write_text("named.jpg\ntree\nreal\n")
    found = find(f"@{home}/list")
    assert paths(found) == ["named.jpg", "real/c.jpg", "tree/b.jpg"]
    assert found.ignored == {"link not followed": 1}


def test_list_leaves_out_out_and_may_lie_in_it(tmp_path):
    write(tmp_path, "a.jpg", "out/a.jpg")
    (tmp_path / "out" / "list").write_text("../a.jpg\na.jpg\n")
    found = find(f"@{tmp_path}/out/list", exclude=tmp_path / "out")
    assert [item.location for item in found.items] == [str(tmp_path / "a.jpg")]
    assert found.ignored == {"inside OUT": 1}


def test_list_leaves_out_a_folder_in_out(tmp_path):
    write(tmp_path, "scans/a.jpg")
    (tmp_path / "list").write_text("scans\n")
    with pytest.raises(UsageError, match="left out: 1 inside OUT"):
        find(f"@{tmp_path}/list", exclude=tmp_path)


@pytest.mark.parametrize("line", ["/", "//", "/../"])
def test_list_may_not_name_the_whole_file_system(tmp_path, line):
    (tmp_path / "list").write_text(f"{line}\n")
    with pytest.raises(UsageError, match="whole file system"):
        find(f"@{tmp_path}/list", exclude=tmp_path / "out")


def test_list_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        find(f"@{tmp_path}/missing.txt")


def folding() -> OutNames:
    """As on a Mac or Windows."""
    names = OutNames(None)
    names.folds_case = True
    return names


def test_colliding_outputs_are_problems(tmp_path):
    src = write(tmp_path, "scan.gif", "scan.gif.png", "other.gif", "A.jpg", "a.jpg")

    def output(row):
        return [row.path + ".png" if row.path.endswith(".gif") else row.path]

    assert problems(find(src)) == {}
    found = find(src, outputs_of=output)
    assert problems(found) == {"scan.gif.png": UnsafePathError}
    found = find(src, outputs_of=output, names=folding())
    assert problems(found) == {"a.jpg": UnsafePathError, "scan.gif.png": UnsafePathError}
    assert paths(found) == ["A.jpg", "other.gif", "scan.gif"]
    assert "rename" in found.problems[0][1].remedy


def test_an_output_with_too_long_a_name_is_a_problem(tmp_path):
    # Of a name that is not UTF-8, each byte counts as one.
    fits, longer = "x" * 247 + ".gif", "y" * 248 + ".gif"
    other = os.fsdecode(b"\xe6" * 247 + b".gif")
    src = write(tmp_path, fits, longer, other)
    found = find(src, outputs_of=lambda row: [row.path + ".png"])
    assert paths(found) == sorted([fits, other])
    assert problems(found) == {longer: UnsafePathError}
    assert "more than 255 bytes" in found.problems[0][1].message


def test_names_that_differ_in_composition_collide_where_case_does(tmp_path):
    src = write(tmp_path, "caf\u00e9.jpg", "cafe\u0301.jpg")
    assert len(find(src).items) == 2
    assert len(find(src, names=folding()).items) == 1


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("/data/scans", "/data/scans-color"),
        ("/data/scans/", "/data/scans-color"),
        ("/data/a.jpg", "/data/a-color"),
        ("/data/box.zip", "/data/box-color"),
        ("/data/box.v2.tar.gz", "/data/box.v2-color"),
        ("/data/scans/19*/*.jpg", "/data/scans-color"),
        ("@/data/list.txt", "/data/list-color"),
        ("file:///data/box.tgz", "/data/box-color"),
        ("/", "/archive-color"),
    ],
)
def test_default_out_is_beside_the_source(source, out):
    assert default_out(source) == Path(out)


def test_default_out_of_relative_sources_and_urls(tmp_path, monkeypatch):
    (tmp_path / "v1.2").mkdir()
    monkeypatch.chdir(tmp_path)
    assert default_out("v1.2") == tmp_path / "v1.2-color"
    assert default_out("*.jpg") == tmp_path.with_name(f"{tmp_path.name}-color")
    assert default_out("https://host/a%20b/box.zip?x=1") == tmp_path / "box-color"
    assert default_out("s3://bucket/scans/") == tmp_path / "scans-color"
    assert default_out("https://host/") == tmp_path / "archive-color"
