"""Workers get one BLAS thread and a code path; the caller's own environment stays as it is."""

import json
import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from parw2v import blas
from parw2v.blas import blas_path, faster_core_type, worker_environment

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


@pytest.fixture(autouse=True)
def forget_the_choice():
    faster_core_type.cache_clear()
    yield
    faster_core_type.cache_clear()


def test_workers_get_one_thread_and_all_else_of_this_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.setenv("SOMETHING_ELSE", "stays")
    before = dict(os.environ)
    environment = worker_environment()
    assert {name: environment[name] for name in THREADS} == dict.fromkeys(THREADS, "1")
    assert environment["SOMETHING_ELSE"] == "stays"
    assert dict(os.environ) == before
    assert before.keys() <= environment.keys()


def test_the_users_choice_of_a_code_path_stands(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert faster_core_type() is None
    assert worker_environment()["OPENBLAS_CORETYPE"] == "Haswell"


def test_the_path_is_the_one_openblas_reports():
    assert np.ones(2) @ np.ones(2) == 2
    loaded = [info["architecture"] for info in threadpool_info() if info["internal_api"] == "openblas"]
    assert blas_path() == (loaded[0] if loaded else None)


def test_nothing_is_measured_where_openblas_knows_the_cpu(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.setattr(blas, "blas_path", lambda: "SkylakeX")
    monkeypatch.setattr(blas, "_seconds", lambda core_type: pytest.fail("measured"))
    assert faster_core_type() is None


def test_nothing_is_measured_without_avx512(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.setattr(blas, "blas_path", lambda: "Haswell")
    monkeypatch.setattr(blas, "_cpu_flags", lambda: {"avx2"})
    monkeypatch.setattr(blas, "_seconds", lambda core_type: pytest.fail("measured"))
    assert faster_core_type() is None


@pytest.mark.parametrize(("skylake", "own", "choice"), [(1.0, 2.0, "SkylakeX"), (1.0, 1.05, None), (2.0, 1.0, None)])
def test_the_faster_path_is_taken_if_it_is_clearly_faster(monkeypatch, skylake, own, choice):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.setattr(blas, "blas_path", lambda: "Haswell")
    monkeypatch.setattr(blas, "_cpu_flags", lambda: {"avx512f", "avx512bw", "avx512dq", "avx512vl"})
    monkeypatch.setattr(blas, "_seconds", lambda core_type: skylake if core_type else own)
    assert faster_core_type() == choice
    assert worker_environment().get("OPENBLAS_CORETYPE") == choice


def test_a_path_that_cannot_run_takes_for_ever(monkeypatch):
    monkeypatch.setattr(blas, "_MEASURE", "raise SystemExit(1)")
    assert blas._seconds("SkylakeX") == float("inf")
    monkeypatch.setattr(blas, "_MEASURE", "print('no number')")
    assert blas._seconds(None) == float("inf")


def test_the_measurement_measures_what_it_is_told(monkeypatch):
    monkeypatch.setattr(blas, "_MEASURE", blas._MEASURE.replace("range(20)", "range(1)"))
    assert 0 < blas._seconds(None) < 5
    monkeypatch.setattr(blas, "_MEASURE", "import os; print(os.environ['OPENBLAS_CORETYPE'] == 'Zen' or 'wrong', 1)")
    assert blas._seconds("Zen") == float("inf")  # "True 1" is no number; a missing variable would be another failure
    monkeypatch.setattr(blas, "_MEASURE", "import os; print(int(os.environ['OPENBLAS_CORETYPE'] == 'Zen'))")
    assert blas._seconds("Zen") == 1


def test_numpy_in_such_an_environment_has_one_thread(python):
    code = """
import json, numpy
from threadpoolctl import threadpool_info
print(json.dumps([info["num_threads"] for info in threadpool_info()]))
"""
    done = python.run("-c", code, env=worker_environment())
    assert set(json.loads(done.stdout)) <= {1}
