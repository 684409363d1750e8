"""`python -m tests.bench micro`: the kernels alone, in this process, in nanoseconds a record."""

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.kernels import KERNELS, SAMPLES, Kernel, Sample
from tests.bench.results import write_json

__all__ = ["measure_kernels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A kernel's times on one sample."""

    kernel: str
    sample: str
    records: int
    best_nanoseconds: float
    median_nanoseconds: float


def measure_kernels(*, named: str, repeats: int, results: Path, tell: Callable[[str], None]) -> None:
    """Time the kernels whose name holds `named`, show the table and keep it."""
    timings = []
    for kernel in KERNELS:
        if named in kernel.name:
            for sample in kernel.samples:
                tell(f"{kernel.name}: {sample}")
                timings.append(time_kernel(kernel, SAMPLES[sample], repeats))
    table = Table("kernel", "sample", "records", "best ns", "median ns", title=f"nanoseconds a record, of {repeats}")
    for column in table.columns[2:]:
        column.justify = "right"
    for timing in timings:
        best, usual = f"{timing.best_nanoseconds:,.0f}", f"{timing.median_nanoseconds:,.0f}"
        table.add_row(timing.kernel, timing.sample, f"{timing.records:,}", best, usual)
    Console(width=100).print(table)
    write_json({"timings": [asdict(timing) for timing in timings]}, results)


def time_kernel(kernel: Kernel, sample: Sample, repeats: int) -> Timing:
    """Run a kernel so many times, prepared anew each time, without cyclic garbage collection, as tasks do."""
    times, records = [], 0
    for _ in range(repeats):
        call, records = kernel.prepare(sample)
        gc.collect()
        gc.disable()
        started = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - started)
        gc.enable()
        del call  # what it held must not be in the way of the next one
    return Timing(
        kernel=kernel.name,
        sample=sample.name,
        records=records,
        best_nanoseconds=min(times) / records,
        median_nanoseconds=median(times) / records,
    )
