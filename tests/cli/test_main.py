"""`colorize-archive` and its verbs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from colorize_core import __version__
from colorize_core.cli.command import settings_file
from colorize_core.cli.main import VERBS, main

ROOT = Path(__file__).parents[2]


def test_without_words_it_lists_its_verbs(capsys):
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == alone
    assert all(f"\n  {verb} " in alone for verb in VERBS)


def test_it_says_its_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"colorize-archive {__version__}\n"


@pytest.mark.parametrize("words", [["run"], []])
def test_a_bare_source_means_run(words, gray_folder, tiny_weights, tmp_path):
    options = ["--out", str(tmp_path / "out"), "--runner", "serial", "--no-report"]
    options += ["--set", f"model.weights={tiny_weights}", "--set", "render.size=64"]
    assert main([*words, str(gray_folder(1)), *options]) == 0
    assert len(list((tmp_path / "out").glob("box*/*.png"))) == 1
    # Also with an option first.
    assert main([*words, *options, "--", str(tmp_path / "archive")]) == 0


@pytest.mark.parametrize("verb", VERBS)
def test_wrong_usage_is_one_line_and_exit_code_1(verb, capsys):
    assert main([verb, "--no-such-option"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error:")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["run", "src", "--out", "{}"],
        ["run", "src", "--verify", "--out", "{}"],
        ["status", "{}"],
        ["report", "{}"],
        ["clean", "{}"],
        ["train", "src", "--out", "{}"],
        ["train", "{}"],
        ["evaluate", "src", "--out", "{}"],
        ["export", "{}"],
        ["average", "{}", "a.safetensors"],
    ],
)
@pytest.mark.parametrize("url", ["ftp://me:secret@host/out", "s3:/bucket/out", "file:///out"])
def test_a_url_where_a_path_belongs_is_refused(words, url, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    assert main([word.format(url) for word in words]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {url.partition(':')[0]}://...: ")
    assert said.count("\n") == 1
    assert "secret" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


def test_python_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "colorize_core", "status", "/nowhere"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: /nowhere")


def test_settings_are_found_by_path_and_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    find = settings_file("train")
    paper = ROOT / "configs" / "train" / "paper.yaml"
    assert find("paper").samefile(paper)
    assert find("configs/train/paper.yaml").samefile(paper)
    assert find("none") == Path("none")
    (tmp_path / "paper").write_text("seed: 1")
    assert find("paper") == Path("paper")


def test_windows_itself_is_refused_in_one_line():
    # What Windows' Python has not.
    program = (
        "import sys; sys.platform = 'win32'; sys.modules |= {'fcntl': None, 'resource': None}; "
        "from colorize_core.cli.main import main; sys.exit(main(['photos']))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "use WSL2" in ended.stderr
