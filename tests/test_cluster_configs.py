"""Cluster files: against Ray's own schema, the job's own options, and stand-ins for Slurm."""

import os
import re
import shlex
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
import yaml

from colorize_core.cli.run import parser

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "configs" / "cluster"
LAUNCHERS = ("aws", "gcp")


def load(name):
    return yaml.safe_load((CLUSTER / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LAUNCHERS)
def test_launcher_files_pass_rays_preparation_and_schema(name):
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = load(f"{name}.yaml")
    prepared = prepare_config(config)
    validate_config(prepared)
    assert prepared["available_node_types"]["spot-gpu"]["max_workers"] == 4


def test_the_schema_check_notices_mistakes():
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = load("aws.yaml")
    config["max_worker"] = 3
    with pytest.raises(ValidationError, match="max_worker"):
        validate_config(prepare_config(config))


@pytest.mark.parametrize("name", LAUNCHERS)
def test_only_the_workers_are_spot_and_the_head_takes_no_work(name):
    config = load(f"{name}.yaml")
    head, workers = (config["available_node_types"][kind] for kind in ("head", "spot-gpu"))
    assert config["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0}
    assert workers["resources"]["GPU"] == 1
    spot = re.compile("preemptible|MarketType")
    assert not spot.search(str(head["node_config"]))
    assert spot.search(str(workers["node_config"]))


@pytest.mark.parametrize("name", LAUNCHERS)
def test_every_node_mounts_the_archive_into_its_container_and_gets_the_token(name):
    config = load(f"{name}.yaml")
    assert any("mount -t nfs" in command for command in config["initialization_commands"])
    options = config["docker"]["run_options"]
    assert "-v /mnt/archive:/mnt/archive" in options
    assert "-e RAY_AUTH_MODE=token" in options
    assert "/root/.ray/auth_token" in config["file_mounts"]


def commands():
    """Every command line for the job that the cluster files show or run."""
    for path in sorted(CLUSTER.iterdir()):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ").replace("\n    --", " --")
        for found in re.findall(r"-m jobs\.colorize_archive ([^\n']*)", text):
            yield path.name, found.split(";")[0].rstrip(" &")


def test_the_commands_use_options_that_exist():
    found = list(commands())
    assert {name for name, _ in found} == {
        "aws.yaml",
        "gcp.yaml",
        "kuberay-rayjob.yaml",
        "slurm.sh",
    }
    for _, command in found:
        # The shell's variables stand for values here.
        words = [
            "4" if word == "$workers" else "cuda" if word == "$device" else word
            for word in shlex.split(command)
            if word != "${extra[@]}"
        ]
        options = parser().parse_args(words)
        assert options.workers == 4
        assert options.device == "cuda"


def test_rayjob_pods_mount_the_claim_and_only_workers_ask_for_gpus():
    job = load("kuberay-rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    for group in (cluster["headGroupSpec"], workers):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert container["volumeMounts"] == [{"name": "archive", "mountPath": "/mnt/archive"}]
        assert [volume["name"] for volume in pod["volumes"]] == ["archive"]
        # Ray takes every start parameter as text.
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    assert "nvidia.com/gpu" not in str(cluster["headGroupSpec"])
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "1"


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (2, 0), (75, 75), (1, 1)])
def test_rayjob_entrypoint_retries_what_another_run_can_change(tmp_path, code, expected):
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nexit {code}\n")
    script.chmod(0o755)
    entrypoint = load("kuberay-rayjob.yaml")["spec"]["entrypoint"]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert subprocess.run(entrypoint, shell=True, env=environment).returncode == expected


def test_ray_versions_agree():
    from importlib.metadata import version

    assert load("kuberay-rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"] == version("ray")


def test_dockerfile_copies_what_exists_and_the_packages_need():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert {"colorize_core", "jobs", "configs", "requirements.lock"} <= set(copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name not in ignored
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for needed in (project["readme"], *project["license-files"]):
        assert needed in copied


@pytest.fixture
def slurm(tmp_path):
    """Run slurm.sh with stand-ins for Slurm's commands, for Ray and for the job.

    The stand-in for srun runs its command here; the one for the job waits a little, and on
    SIGTERM drains for a moment, as the real one does.
    """
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    log = tmp_path / "log"
    scripts = {
        "srun": 'while [[ $1 == -* ]]; do [[ $1 == -w ]] && shift; shift; done; exec "$@"',
        "scontrol": f'if [ "$1" = show ]; then echo a; echo b; else echo "$@" >>{log}; fi',
        "ray": f'echo "ray $*" >>{log}; [ "$1" = start ] && exec sleep 60; exit 0',
        "python": f"""
if [ "$1" = -c ]; then echo token; exit; fi
echo "job $* address=$RAY_ADDRESS token=$RAY_AUTH_TOKEN" >>{log}
trap 'sleep 0.5; exit 75' TERM
for _ in $(seq "$JOB_TENTHS"); do sleep 0.1; done
exit "$JOB_CODE" """,
    }
    for name, body in scripts.items():
        path = bin_folder / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)
    started = []

    def run(*, code=0, tenths=2, gpus="1", **variables):
        environment = {
            **os.environ,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "PYTHON": str(bin_folder / "python"),
            "SLURM_JOB_ID": "7",
            "SLURM_JOB_NODELIST": "a,b",
            "SLURM_CPUS_PER_TASK": "3",
            "SLURM_GPUS_ON_NODE": gpus,
            "SRC": "/archive/old box",
            "OUT": "/archive/$HOME 'x'",
            "JOB_CODE": str(code),
            "JOB_TENTHS": str(tenths),
            **variables,
        }
        process = subprocess.Popen(
            [str(CLUSTER / "slurm.sh")], env=environment, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, log

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


def test_slurm_script_starts_head_workers_and_the_job(slurm):
    process, log = slurm(ARGS="--limit 5")
    assert process.wait(timeout=60) == 0
    lines = log.read_text().splitlines()
    head = next(line for line in lines if "start --head" in line)
    worker = next(line for line in lines if "start --address" in line)
    job = next(line for line in lines if line.startswith("job"))
    port = re.search(r"--port=(\d+)", head)[1]
    assert f":{port} " in worker
    assert "--num-gpus=1" in head
    assert "/archive/old box --out /archive/$HOME 'x' --device cuda --workers 2 --limit 5" in job
    assert f":{port} token=token" in job
    assert not any("requeue" in line for line in lines)


def test_slurm_script_without_gpus_uses_every_core(slurm):
    process, log = slurm(gpus="0")
    assert process.wait(timeout=60) == 0
    assert "--device cpu --workers 6" in log.read_text()


@pytest.mark.parametrize("code", [1, 2])
def test_slurm_script_hands_on_codes_that_another_run_would_not_change(slurm, code):
    process, log = slurm(code=code)
    assert process.wait(timeout=60) == code
    assert "requeue" not in log.read_text()


def test_slurm_script_requeues_a_run_that_the_time_limit_stopped(slurm):
    process, log = slurm(tenths=600)
    end = time.monotonic() + 60
    while not (log.exists() and "job" in log.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 75
    assert "requeue 7" in log.read_text()


def test_slurm_script_asks_for_its_folders(slurm):
    process, _ = slurm(SRC="")
    assert process.wait(timeout=60) == 1
    assert "SRC=" in process.stderr.read()
