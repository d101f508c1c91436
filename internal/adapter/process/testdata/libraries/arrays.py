"""Arithmetic on several threads, a mapped file, and processes that share memory."""
import multiprocessing
import tempfile
from multiprocessing import shared_memory

import numpy

a = numpy.random.default_rng(1).random((400, 400))
assert numpy.allclose(a @ numpy.linalg.inv(a), numpy.eye(400), atol=1e-6)
assert numpy.fft.ifft(numpy.fft.fft(a[0])).real.sum() - a[0].sum() < 1e-6
with tempfile.NamedTemporaryFile() as f:
    mapped = numpy.memmap(f.name, dtype="float64", mode="w+", shape=a.shape)
    mapped[:] = a
    mapped.flush()
    assert (numpy.memmap(f.name, dtype="float64", mode="r", shape=a.shape) == a).all()


def double(name):
    block = shared_memory.SharedMemory(name=name)
    numpy.ndarray((4,), dtype="int64", buffer=block.buf)[:] *= 2
    block.close()


if __name__ == "__main__":
    block = shared_memory.SharedMemory(create=True, size=32)
    shared = numpy.ndarray((4,), dtype="int64", buffer=block.buf)
    shared[:] = [1, 2, 3, 4]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(double, [block.name])
    assert shared.tolist() == [2, 4, 6, 8]
    del shared
    block.close()
    block.unlink()
    print("numpy", numpy.__version__, "works")
