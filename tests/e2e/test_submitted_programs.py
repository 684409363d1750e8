"""A directory with two packages and a wheel, submitted by the command: its pods ask no registry for anything."""

import hashlib
import io
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.jobs import JobWorld
from tests.e2e.oracle import count_words, read_words
from tests.integration.test_wheels import make_wheel
from tests.support.podreduce_command import COMMAND

pytestmark = pytest.mark.e2e

INFERENCE = Path(__file__).parents[2] / "examples" / "inference"

JOB = """
import marks
from tokens.splitting import split
from tables import STOP

class Words:
    def map_func(self, key, value):
        for word in split(value):
            if word not in STOP:
                yield marks.MARK + word, 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""
FILES = {
    "job.py": JOB,
    "tokens/__init__.py": "",
    "tokens/splitting.py": "def split(line):\n    return line.split()\n",
    "tables/__init__.py": "from pathlib import Path\nSTOP = Path(__file__).with_name('stop.txt').read_text().split()\n",
    "tables/stop.txt": "the and",
}


def write_program(directory: Path) -> Path:
    """Write the program and its requirements; the wheel lies on a shelf beside it."""
    program, shelf = directory / "counted", directory / "shelf"
    for name, text in FILES.items():
        (program / name).parent.mkdir(parents=True, exist_ok=True)
        (program / name).write_text(text)
    shelf.mkdir()
    make_wheel(shelf, "marks-1.0", files={"marks.py": "MARK = '!'\n"})
    (program / "requirements.txt").write_text(f"--no-index\n--find-links {shelf}\nmarks==1.0\n")
    return program


def submit(
    world: JobWorld, program: Path, *arguments: str, data: str | None = None, name: str = "counted"
) -> subprocess.CompletedProcess[str]:
    """Submit the program over the words, or over other data."""
    environ = {
        "KUBECONFIG": str(world.cluster.kubeconfig),
        "AWS_ENDPOINT_URL": world.minio.outside,
        "AWS_REGION": world.minio.region,
        "AWS_ACCESS_KEY_ID": world.minio.access_key,
        "AWS_SECRET_ACCESS_KEY": world.minio.secret_key,
    }
    command = [*COMMAND, "submit", str(program)]
    command += [data or world.input_uri("words"), "-o", world.output_uri(name), "-n", world.namespace, *arguments]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=300, check=False
    )


def expected() -> Counter[str]:
    return Counter({f"!{word}": count for word, count in count_words().items() if word not in {"the", "and"}})


def archive_of(job: dict[str, Any]) -> dict[str, str]:
    archive: dict[str, str] = job["spec"]["program"]["archive"]
    return archive


def test_a_submitted_directory_runs_in_pods(world: JobWorld, tmp_path: Path) -> None:
    submitted = submit(world, write_program(tmp_path), "--wait")
    assert submitted.returncode == 0, f"{submitted.stderr}\n{world.describe('counted')}"
    assert submitted.stdout.startswith("mrj/counted: complete in ")
    assert read_words(world.parts("counted")) == expected()
    program = world.job("counted")["spec"]["program"]
    assert [each["uri"].rpartition("/")[2] for each in program["requirements"]] == ["marks-1.0-py3-none-any.whl"]


def test_a_replaced_archive_does_not_slip_into_a_run(world: JobWorld, tmp_path: Path) -> None:
    submitted = submit(world, write_program(tmp_path), "--set", "spec.suspend=true")
    assert submitted.returncode == 0, submitted.stderr
    archive = archive_of(world.job("counted"))
    bucket, _, key = archive["uri"].removeprefix("s3://").partition("/")
    obstore.put(world.minio.store(bucket), key, b"another program")
    world.patch("counted", suspend=False)
    failed = world.wait("counted", "Failed")["status"]["failures"][-1]
    assert failed["reason"] == "ProgramInvalid"
    found = f"sha256:{hashlib.sha256(b'another program').hexdigest()}"
    assert all(part in failed["message"] for part in (archive["uri"], archive["digest"], found))


def test_a_model_that_was_trained_elsewhere_runs_in_pods_with_the_library_it_needs(world: JobWorld) -> None:
    """The pods take onnxruntime from the bucket, as `podreduce submit` has locked it, and the model as a side input."""
    store, place = world.minio.store(world.output_bucket), f"{world.namespace}/digits"
    for path in (*(INFERENCE / "digits").iterdir(), INFERENCE / "model.onnx"):
        obstore.put(store, f"{place}{'/images' if path.suffix == '.parquet' else ''}/{path.name}", path.read_bytes())
    uri = f"s3://{world.output_bucket}/{place}"
    settings = (f"spec.sideInputs[0].uris=[{uri}/model.onnx]", "spec.map.shards=3")
    arguments = [argument for setting in settings for argument in ("--set", setting)]
    submitted = submit(world, INFERENCE / "job.yaml", *arguments, "--wait", data=f"{uri}/images/", name="inference")
    assert submitted.returncode == 0, f"{submitted.stderr}\n{world.describe('inference')}"
    images = pq.read_table(INFERENCE / "digits")
    pixels = np.array(images["pixels"].to_pylist(), dtype=np.float32)
    _, chances = onnxruntime.InferenceSession(INFERENCE / "model.onnx").run(None, {"X": pixels})
    rows = pa.concat_tables([pq.read_table(io.BytesIO(part)) for part in world.parts("inference")])
    assert rows["image"].to_pylist() == images["image"].to_pylist()
    assert rows["found"].to_pylist() == chances.argmax(axis=1).tolist()
