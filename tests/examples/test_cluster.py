"""The files for Slurm and Kubernetes, run on this machine under what such a cluster would set."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CLUSTER = Path(__file__).resolve().parents[2] / "examples" / "cluster"
SHORT = ["--steps", "4", "--batch-size", "32", "--width", "2", "--layers", "1"]
SECRET = "0123456789abcdef" * 2
# Each node of the job is this machine, and srun starts one process a task with its number, waits for all and tells of
# the first that failed.
COMMANDS = {
    "qssl": f'exec "{sys.executable}" -m qssl_tf "$@"',
    "scontrol": '[ "$1 $2 $3" = "show hostnames nodes[1-$TASKS]" ]; for n in $(seq "$TASKS"); do echo 127.0.0.1; done',
    "srun": """
        case "$1" in --*) shift;; esac
        for number in $(seq 0 $((TASKS - 1))); do SLURM_PROCID=$number "$@" > "task-$number.txt" 2>&1 & done
        for number in $(seq "$TASKS"); do wait -n; done
    """,
}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Return a function that runs words with more variables, in a folder with a cluster's commands."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in COMMANDS.items():
        (commands / name).write_text(f"#!/bin/bash\nset -e\n{text}\n")
        (commands / name).chmod(0o755)

    def run(words, **variables):
        path = f"{commands}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(list(map(str, words)), cwd=tmp_path, env=os.environ | variables | {"PATH": path})

    return run


def steps(run):
    return [line.split(",")[0] for line in (run / "history.csv").read_text().splitlines()[1:]]


def slurm(free_ports, tasks):
    """Return what Slurm sets for a job, with as many free ports in a row."""
    first = next(port for port in free_ports(20) if all(map(is_free, range(port, port + tasks))))
    return {"SLURM_JOB_NODELIST": f"nodes[1-{tasks}]", "TASKS": str(tasks), "FIRST_PORT": str(first)}


def is_free(port):
    with socket.socket() as taken:
        return taken.connect_ex(("127.0.0.1", port)) != 0


def test_slurm_runs_one_training_on_all_nodes_and_goes_on_with_it(cluster, free_ports, tmp_path):
    variables = slurm(free_ports, 2)
    job = cluster(["bash", CLUSTER / "slurm.sh", "--name", "first", *SHORT], **variables)
    assert job.wait(timeout=300) == 0, (tmp_path / "task-1.txt").read_text()
    run = tmp_path / "runs" / "first"
    assert steps(run) == ["1", "2", "3", "4"]
    assert "shared by 2 replicas" in (tmp_path / "task-0.txt").read_text()
    again = cluster(["bash", CLUSTER / "slurm.sh", "--resume", "runs/first"], **variables)
    assert again.wait(timeout=300) == 0, (tmp_path / "task-0.txt").read_text()
    assert steps(run) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["slurm.sh", "slurm_search.sh"])
def test_outside_of_a_job_a_script_says_so(name, tmp_path):
    variables = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    done = subprocess.run(["bash", CLUSTER / name], cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{name} runs within a job of Slurm") and f"sbatch {name}" in done.stderr


def test_slurm_searches_with_a_chief_and_workers(cluster, free_ports, tmp_path):
    vary = ["--vary", "width=2,3", "--trials", "2", "--probe-epochs", "1"]
    job = cluster(["bash", CLUSTER / "slurm_search.sh", "wide", *vary, *SHORT[:4]], **slurm(free_ports, 3))
    assert job.wait(timeout=400) == 0, (tmp_path / "task-0.txt").read_text()
    trials = tmp_path / "searches" / "wide" / "trials"
    assert sorted(path.name for path in trials.glob("trial-*")) == ["trial-0000", "trial-0001"]
    for number in (1, 2):
        assert "no more trials" in (tmp_path / f"task-{number}.txt").read_text()


def test_pods_of_kubernetes_run_one_training(cluster, free_ports, tmp_path):
    service, job = yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text())
    pod, count = job["spec"]["template"]["spec"], job["spec"]["completions"]
    assert job["spec"]["completionMode"] == "Indexed" and job["spec"]["parallelism"] == count == 2
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["selector"] == {
        "job-name": job["metadata"]["name"]
    }
    (container,) = pod["containers"]
    given = {entry["name"]: entry.get("value") for entry in container["env"]}
    # As Kubernetes documents indexed jobs, a pod is JOB-INDEX.SUBDOMAIN, where the subdomain is a service's name.
    names = [f"{job['metadata']['name']}-{index}.{service['metadata']['name']}" for index in range(count)]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert [address.split(":")[0] for address in json.loads(given["WORKERS"])] == names
    here = {"WORKERS": json.dumps([f"127.0.0.1:{port}" for port in free_ports(2)]), "FLAGS": " ".join(SHORT)}
    variables = given | here | {"QSSL_TF_SECRET": SECRET}
    command = [*container["command"], *container["args"]]
    pods = [cluster(command, **variables, JOB_COMPLETION_INDEX=str(index)) for index in range(count)]
    assert [process.wait(timeout=300) for process in pods] == [0, 0]
    assert steps(tmp_path / "runs" / given["RUN"]) == ["1", "2", "3", "4"]
