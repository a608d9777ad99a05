"""Linear algebra on one thread: sums that are split among threads differ in their last bits.

LightGBM is told `num_threads=1` where it is called. NumPy and SciPy take their number of threads from the
environment and from the machine, so the same data and seed gave other artifacts under OMP_NUM_THREADS=4.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """As a context or a decorator: what is fitted within does not depend on the number of threads."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield
